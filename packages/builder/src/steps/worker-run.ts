/** RUN inside the worker: mounts and user are resolved, the process runs, what it changed is committed. */
import { join, posix } from 'node:path'
import type { Executor, ProcessSpec, SandboxMount } from '../sandbox/executor.ts'
import { NamespacesExecutor } from '../sandbox/namespaces/executor.ts'
import { resolveInRoot } from '../util/inroot.ts'
import { CacheMounts } from './cache-mounts.ts'
import type { OpenParams, RunMountSpec, RunOutcome, RunParams } from './worker-api.ts'
import type { OperationContext } from './worker-files.ts'
import { resolveOwner } from './file/owner.ts'
import { readFileSync } from 'node:fs'

export class Runner implements AsyncDisposable {
  readonly #params: OpenParams
  readonly #caches: CacheMounts
  #executor: Promise<Executor> | undefined

  constructor(params: OpenParams) {
    this.#params = params
    this.#caches = new CacheMounts(join(params.root, 'cache-mounts'))
  }

  async prepare(): Promise<string | undefined> {
    await this.#open()
    return undefined
  }

  #open(): Promise<Executor> {
    this.#executor ??= Promise.resolve(new NamespacesExecutor({ singleId: this.#params.mode === 'single', seccomp: undefined, compileCache: join(this.#params.root, 'compile-cache') }))
    return this.#executor
  }

  async run(params: RunParams, { snapshotter, signal, emit }: OperationContext): Promise<RunOutcome> {
    const executor = await this.#open()
    await using resources = new AsyncDisposableStack()
    const active = resources.use(await snapshotter.prepare(params.stack, signal))
    const mounts: SandboxMount[] = []
    for (const mount of params.mounts) mounts.push(await this.#mount(mount, snapshotter, resources, signal))
    if (params.script !== undefined) {
      const content = Buffer.from(params.script.content)
      mounts.push({ type: 'file', target: params.script.path, content, mode: 0o755, uid: 0, gid: 0 })
    }
    const user = interimUser(active.root, params.user)
    const spec: ProcessSpec = {
      args: params.args,
      env: withDefaults(params.env, user.home),
      cwd: params.cwd,
      user,
      hostname: params.hostname,
      network: params.network,
      hosts: hosts(params),
      resolvConf: readFileSync('/etc/resolv.conf', 'utf8'),
      mounts,
      security: params.security,
      shmSize: params.shmSize,
      ulimits: params.ulimits,
      resources: params.resources,
      cgroupParent: params.cgroupParent,
    }
    const exit = await executor.run(spec, active.root, { onOutput: (stream, data) => emit({ type: 'log', stream, data }) }, signal)
    if (exit.exitCode !== 0) {
      const { exitCode, signal: name, oomKilled, usage } = exit
      return {
        status: 'failed',
        exitCode,
        ...(name && { signal: name }),
        ...(oomKilled && { oomKilled }),
        ...(usage?.peakMemory !== undefined && { peakMemory: usage.peakMemory }),
      }
    }
    await active.commit(params.id)
    return { status: 'committed' }
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
        const view = resources.use(await (mount.readonly ? snapshotter.view(mount.stack, signal) : snapshotter.prepare(mount.stack, signal)))
        return { type: 'bind', source: resolveInRoot(view.root, mount.source), target: mount.target, readonly: mount.readonly }
      }
      case 'cache': {
        const cache = resources.use(await this.#caches.open(mount, undefined, signal))
        return { type: 'bind', source: cache.path, target: mount.target, readonly: mount.readonly }
      }
      case 'tmpfs':
        return { type: 'tmpfs', target: mount.target, ...(mount.size !== undefined && { size: mount.size }) }
      case 'secret':
        return { type: 'file', target: mount.target, content: mount.content, mode: mount.mode, uid: mount.uid, gid: mount.gid }
      case 'socket':
        return { type: 'bind', source: mount.path, target: mount.target, readonly: false }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const executor = await this.#executor?.catch(() => undefined)
    await executor?.[Symbol.asyncDispose]()
  }
}

function interimUser(root: string, text: string) {
  if (text === '') return { uid: 0, gid: 0, additionalGids: [0], home: '/root' }
  const [user = '', group] = text.split(':')
  const o = resolveOwner(root, { user, group })
  return { ...o, additionalGids: [], home: '/' }
}

function hosts(params: RunParams): string {
  return ['127.0.0.1\tlocalhost buildkitsandbox', '::1\tlocalhost ip6-localhost ip6-loopback', ...params.extraHosts.map((h) => `${h.ip}\t${h.host}`), ''].join('\n')
}

function withDefaults(env: readonly string[], home: string): string[] {
  return env.some((e) => e.startsWith('HOME=')) ? [...env] : [...env, `HOME=${home}`]
}
