/** RUN inside the worker: mounts and user are resolved, the process runs, what it changed is committed. */
import pLimit from 'p-limit'
import type { LastingCloner } from '../sandbox/cloner/lasting-cloner.ts'
import { isExecFailure } from '../sandbox/errors.ts'
import type { ProcessIO, ProcessSpec, SandboxMount } from '../sandbox/executor.ts'
import { checkIds, type WantedIds } from '../sandbox/mapped-ids.ts'
import { RUN_FILES } from '../sandbox/mounts/order.ts'
import { hostsFile, readMachineResolvConf, resolvConf } from '../sandbox/network.ts'
import { type Selected, selectExecutor } from '../sandbox/select.ts'
import { resolveGroups, resolveUser } from '../sandbox/user.ts'
import { snapshotErrors } from '../snapshot/errors.ts'
import type { ActiveSnapshot, SnapshotId } from '../snapshot/snapshotter.ts'
import { hasCode } from '../util/has-code.ts'
import { findSecret, secretPatterns } from './secret-scan.ts'
import type { OpenParams, Preparation, RunOutcome, RunParams } from './worker-api.ts'
import type { OperationContext } from './worker-files.ts'
import { InputTable } from './worker-input.ts'
import { MountOpener } from './worker-mounts.ts'

export class Runner implements AsyncDisposable {
  readonly inputs = new InputTable()
  readonly #params: OpenParams
  readonly #cloner: LastingCloner | undefined
  readonly #mounts: MountOpener
  /** For processes that could reach each other's files. */
  readonly #alone = pLimit(1)
  #selected: Promise<Selected> | undefined

  /** @param cloner see {@link selectExecutor} */
  constructor(params: OpenParams, cloner: LastingCloner | undefined) {
    this.#params = params
    this.#cloner = cloner
    this.#mounts = new MountOpener(params.root)
  }

  /** Chooses the executor and makes it ready. */
  async prepare(): Promise<Preparation> {
    const { executor, announcement } = await this.#executor()
    return { level: executor.name, announcement }
  }

  #executor(): Promise<Selected> {
    const { root, isolation, ociRuntime } = this.#params
    this.#selected ??= selectExecutor({ isolation, ociRuntime, root, cloner: this.#cloner })
    return this.#selected
  }

  /** Runs the process; commits the snapshot if it succeeds, or under another name if it fails and that is asked for. */
  async run(params: RunParams, context: OperationContext): Promise<RunOutcome> {
    // Before anything is waited for: input may follow at once.
    using keyboard = params.interaction && this.inputs.connect(params.interaction)
    const { snapshotter, signal, emit } = context
    const { executor } = await this.#executor()
    const from = Date.now()
    await using resources = new AsyncDisposableStack()
    this.#mounts.begin()
    const mounted = executor.name === 'chroot' ? [] : Object.values(RUN_FILES)
    const active = resources.use(await snapshotter.prepare(params.stack, signal, mounted))
    checkIds(mountOwners(params))
    const spec = processSpec(params, active.root, await this.#mounts.open(params, resources, context))
    checkIds([{ ...spec.user, what: 'user' }])
    const timeout = params.timeout === undefined ? undefined : AbortSignal.timeout(params.timeout)
    const limited = timeout === undefined ? signal : AbortSignal.any([signal, timeout])
    const io: ProcessIO = {
      ...(keyboard && { stdin: keyboard.stdin, terminal: keyboard.terminal }),
      onOutput: (stream, data) => emit({ type: 'log', stream, data }),
    }
    const keep = async (): Promise<void> => {
      if (params.keep !== undefined) await commit(active, params.keep)
    }
    try {
      // Looked at while the process runs: what it reads must be what was made.
      const looked = snapshotter.verify(params.stack, 'files')
      looked.catch(() => undefined)
      const process = () => executor.run(spec, active.root, io, limited)
      const exit = await ((await executor.exclusive) ? this.#alone(process) : process())
      await looked
      if (exit.exitCode !== 0) {
        await keep()
        return { status: 'failed', ...exit, peakMemory: exit.usage?.peakMemory }
      }
    } catch (error) {
      // What is there may show why the program could not be started.
      const late = timeout?.aborted === true && !signal.aborted
      if (late || isExecFailure(error)) await keep()
      if (!late) throw error
      return { status: 'timeout' }
    }
    if (params.id === undefined) return { status: 'succeeded' }
    return await finish(active, params.id, params, from, context)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _mounts = this.#mounts
    const selected = await this.#selected?.catch(() => undefined)
    await (selected?.executor ?? this.#cloner)?.[Symbol.asyncDispose]()
  }
}

function processSpec(params: RunParams, root: string, mounts: readonly SandboxMount[]): ProcessSpec {
  const { args, cwd, hostname, network, security, shmSize, ulimits, resources, cgroupParent, dns } = params
  const user = resolveUser(root, params.user)
  const { capabilities, readonlyRoot, init, groups = [] } = params.container ?? {}
  const additionalGids = [...new Set([...user.additionalGids, ...resolveGroups(root, groups)])]
  return {
    args,
    env: params.env.some((e) => e.startsWith('HOME=')) ? params.env : [...params.env, `HOME=${user.home}`],
    cwd,
    user: { ...user, additionalGids },
    hostname,
    network,
    hosts: hostsFile(hostname, params.extraHosts),
    resolvConf: resolvConf(readMachineResolvConf(), { dns, sharesLoopback: network === 'host' }),
    mounts,
    security,
    capabilities,
    readonlyRoot,
    init,
    shmSize,
    ulimits,
    resources,
    cgroupParent,
  }
}

/** Whom mounts are to belong to. */
function mountOwners({ mounts }: RunParams): WantedIds[] {
  return mounts.flatMap((mount) => {
    if (mount.type !== 'cache' && mount.type !== 'secret' && mount.type !== 'socket') return []
    const type = mount.type === 'socket' ? 'ssh' : mount.type
    return [{ uid: mount.uid, gid: mount.gid, what: `the owner of the ${type} mount on ${mount.target},` }]
  })
}

/** Commits; what a process made by going down step by step may have no path that the system takes. */
async function commit(active: ActiveSnapshot, id: SnapshotId, made?: Parameters<ActiveSnapshot['commit']>[1]) {
  try {
    await active.commit(id, made)
  } catch (error) {
    if (!hasCode(error, 'ENAMETOOLONG')) throw error
    // What stands before is the store's.
    const [, path = ''] = /\/\.new-[^/]+(?:\/\d+)?\/fs\/(.*)/s.exec((error as NodeJS.ErrnoException).path ?? '') ?? []
    throw snapshotErrors.pathTooLong([`/${path.slice(0, 60)}`], { cause: error })
  }
}

/** Commits what the process wrote, unless a secret is in it. */
async function finish(
  active: ActiveSnapshot,
  id: SnapshotId,
  { mtime, scanFor }: RunParams,
  from: number,
  { snapshotter, signal }: OperationContext,
): Promise<RunOutcome> {
  await commit(active, id, { from, time: mtime })
  const patterns = scanFor.flatMap(secretPatterns)
  const path = patterns.length === 0 ? undefined : await findSecret(snapshotter.changes(id, signal), patterns)
  if (path === undefined) return { status: 'succeeded' }
  await snapshotter.remove(id)
  return { status: 'secret', path: `/${path}` }
}
