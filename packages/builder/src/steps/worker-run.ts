/** RUN inside the worker: mounts and user are resolved, the process runs, what it changed is committed. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { openRootTree } from '../context/local.ts'
import type { ProcessSpec, SandboxMount } from '../sandbox/executor.ts'
import { hostsFile, readMachineResolvConf, resolvConf } from '../sandbox/network.ts'
import { type Selected, selectExecutor } from '../sandbox/select.ts'
import { resolveUser } from '../sandbox/user.ts'
import { resolveInRoot } from '../util/inroot.ts'
import { removeTree } from '../util/raw-path.ts'
import { readArchive } from './archive.ts'
import { CacheMounts } from './cache-mounts.ts'
import { applyFileOps } from './file/apply.ts'
import { select } from './file/select.ts'
import { findSecret, secretPatterns } from './secret-scan.ts'
import { settleTimes } from './times.ts'
import type { OpenParams, RunMountSpec, RunOutcome, RunParams } from './worker-api.ts'
import type { OperationContext } from './worker-files.ts'

export class Runner implements AsyncDisposable {
  readonly #params: OpenParams
  readonly #caches: CacheMounts
  #selected: Promise<Selected> | undefined
  #counter = 0

  constructor(params: OpenParams) {
    this.#params = params
    this.#caches = new CacheMounts(join(params.root, 'cache-mounts'))
  }

  /** Chooses the executor and makes it ready; returns what is to be told about it. */
  async prepare(): Promise<string | undefined> {
    return (await this.#executor()).announcement
  }

  #executor(): Promise<Selected> {
    const { root, isolation, ociRuntime } = this.#params
    this.#selected ??= selectExecutor({ isolation, ociRuntime, root })
    return this.#selected
  }

  /** Runs the process; commits the snapshot if it succeeds. */
  async run(params: RunParams, { snapshotter, signal, emit }: OperationContext): Promise<RunOutcome> {
    const { executor } = await this.#executor()
    const from = Date.now()
    await using resources = new AsyncDisposableStack()
    const active = resources.use(await snapshotter.prepare(params.stack, signal))
    const mounts: SandboxMount[] = []
    for (const mount of params.mounts) mounts.push(await this.#mount(mount, snapshotter, resources, signal))
    if (params.script !== undefined) mounts.push(this.#script(params.script, resources))
    const user = resolveUser(active.root, params.user)
    const spec: ProcessSpec = {
      args: params.args,
      env: params.env.some((e) => e.startsWith('HOME=')) ? params.env : [...params.env, `HOME=${user.home}`],
      cwd: params.cwd,
      user,
      hostname: params.hostname,
      network: params.network,
      hosts: hostsFile(params.hostname, params.extraHosts),
      resolvConf: resolvConf(await readMachineResolvConf(), {
        dns: params.dns,
        sharesLoopback: params.network === 'host',
      }),
      mounts,
      security: params.security,
      shmSize: params.shmSize,
      ulimits: params.ulimits,
      resources: params.resources,
      cgroupParent: params.cgroupParent,
    }
    const timeout = params.timeout === undefined ? undefined : AbortSignal.timeout(params.timeout)
    const limited = timeout === undefined ? signal : AbortSignal.any([signal, timeout])
    const io = { onOutput: (stream: 'stdout' | 'stderr', data: Buffer) => emit({ type: 'log', stream, data }) }
    try {
      const exit = await executor.run(spec, active.root, io, limited)
      if (exit.exitCode !== 0) return { status: 'failed', ...exit, peakMemory: exit.usage?.peakMemory }
    } catch (error) {
      if (timeout?.aborted && !signal.aborted) return { status: 'timeout' }
      throw error
    }
    await active.commit(params.id)
    if (params.mtime !== undefined)
      await settleTimes(snapshotter, params.id, { from, to: Date.now(), time: params.mtime }, signal)
    const patterns = params.scanFor.flatMap(secretPatterns)
    const path = patterns.length === 0 ? undefined : await findSecret(snapshotter.changes(params.id, signal), patterns)
    if (path === undefined) return { status: 'committed' }
    await snapshotter.remove(params.id)
    return { status: 'secret', path: `/${path}` }
  }

  /** A heredoc script as a file in a directory of its own, which may be executed. */
  #script({ path, content }: NonNullable<RunParams['script']>, resources: AsyncDisposableStack): SandboxMount {
    const directory = join(this.#params.root, 'tmp', `${process.pid}.script-${++this.#counter}`)
    mkdirSync(directory, { mode: 0o755 })
    resources.defer(async () => removeTree(directory))
    writeFileSync(join(directory, basename(path)), content, { mode: 0o755 })
    return { type: 'bind', source: directory, target: dirname(path), readonly: true }
  }

  async #mount(
    mount: RunMountSpec,
    snapshotter: OperationContext['snapshotter'],
    resources: AsyncDisposableStack,
    signal: AbortSignal,
  ): Promise<SandboxMount> {
    switch (mount.type) {
      case 'bind': {
        // A writable mount gets a snapshot of its own, which is never committed.
        const view = resources.use(
          await (mount.readonly ? snapshotter.view(mount.stack, signal) : snapshotter.prepare(mount.stack, signal)),
        )
        return {
          type: 'bind',
          source: resolveInRoot(view.root, mount.source),
          target: mount.target,
          readonly: mount.readonly,
        }
      }
      case 'cache': {
        const { seed } = mount
        const fill = async (directory: string): Promise<void> => {
          await using view = await snapshotter.view(seed!, signal)
          await copyDirectory(view.root, mount.source, directory, signal)
        }
        const cache = resources.use(await this.#caches.open(mount, seed && fill, signal))
        return { type: 'bind', source: cache.path, target: mount.target, readonly: mount.readonly }
      }
      case 'tmpfs':
        return { type: 'tmpfs', target: mount.target, ...(mount.size !== undefined && { size: mount.size }) }
      case 'secret':
        return {
          type: 'file',
          target: mount.target,
          content: mount.content,
          mode: mount.mode,
          uid: mount.uid,
          gid: mount.gid,
        }
      case 'socket':
        return { type: 'bind', source: mount.path, target: mount.target, readonly: false }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const selected = await this.#selected?.catch(() => undefined)
    await selected?.executor[Symbol.asyncDispose]()
  }
}

/** Copies what a directory of a root filesystem holds, with owners and modes. */
async function copyDirectory(root: string, source: string, directory: string, signal: AbortSignal): Promise<void> {
  const tree = openRootTree(root)
  const selection = { patterns: [source], parents: false, exclude: [] }
  const op = {
    op: 'copy',
    dest: '/',
    selection,
    chown: undefined,
    chmod: undefined,
    keepOwner: true,
    link: false,
    unpack: 'never',
    mtime: undefined,
  } as const
  await applyFileOps(directory, [{ op, tree, entries: await select(tree, selection, signal) }], { signal, readArchive })
}
