/** Chooses the executor: the most isolated that works here, or the one that was asked for. */

import type { LastingCloner } from './cloner/lasting-cloner.ts'
import { sandboxErrors } from './errors.ts'
import type { Executor } from './executor.ts'
import { ChrootExecutor } from './executors/chroot.ts'
import { NamespacesExecutor } from './executors/namespaces.ts'
import { findRuntime, probeRuntime, runtimeNames } from './executors/oci-runtime.ts'
import { type MachineFacts, machineFacts } from './machine.ts'
import { compileProfile } from './seccomp/compile.ts'
import { compileCacheFor } from './worker/compile-cache.ts'

export type Isolation = 'auto' | 'namespaces' | 'oci' | 'chroot'

export interface SelectOptions {
  readonly isolation: Isolation
  /** Path or name of an OCI runtime; undefined: the first of runc, crun, youki that works. */
  readonly ociRuntime: string | undefined
  /** State directory. */
  readonly root: string
  /** Where runtimes are looked for; default: the worker's own PATH. */
  readonly searchPath?: string
  /** One that was started for the namespaces executor, which takes it over; disposed when another executor is chosen. */
  readonly cloner?: LastingCloner | undefined
}

export interface Selected {
  readonly executor: Executor
  /** One line for the user when RUN is isolated less than usual. */
  readonly announcement: string | undefined
  /** Why better ones were not possible: `name: reason`. */
  readonly reasons: readonly string[]
}

interface Attempt {
  readonly name: Executor['name']
  open(): Promise<Executor>
}

/** Opens an executor in the worker; the caller disposes it. Throws ISOLATION_UNAVAILABLE. */
export async function selectExecutor(options: SelectOptions): Promise<Selected> {
  const attempts = attemptsFor(options, machineFacts())
  const reasons: string[] = []
  for (const { name, open } of attempts) {
    try {
      const executor = await open()
      if (name !== 'namespaces') await options.cloner?.[Symbol.asyncDispose]()
      return { executor, announcement: name === 'chroot' ? announce(reasons) : undefined, reasons }
    } catch (error) {
      reasons.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw sandboxErrors.isolationUnavailable([reasons.join('; ')])
}

function announce(reasons: readonly string[]): string {
  const why = reasons.length === 0 ? '' : ` (${reasons.join('; ')})`
  return `RUN is isolated by chroot only: it shares processes, network and kernel settings with this machine${why}`
}

function attemptsFor(
  { isolation, root, ociRuntime, searchPath = process.env.PATH, cloner }: SelectOptions,
  facts: MachineFacts,
): Attempt[] {
  const filter = facts.seccomp ? compileProfile(process.arch) : undefined
  const common = { singleId: facts.singleId, seccomp: filter, compileCache: compileCacheFor(root) }
  const namespaces: Attempt = {
    name: 'namespaces',
    open: async () => {
      if (!facts.canMount) throw new Error('this process may not mount')
      const networkHelpers = async () => ({
        pasta: await findRuntime('pasta', searchPath),
        slirp4netns: await findRuntime('slirp4netns', searchPath),
      })
      return await opened(new NamespacesExecutor({ ...common, networkHelpers, cloner }))
    },
  }
  const chroot: Attempt = {
    name: 'chroot',
    open: async () => {
      if (!facts.canChroot) throw new Error('this process may not chroot')
      return await opened(new ChrootExecutor(common))
    },
  }
  const oci = (ociRuntime === undefined ? runtimeNames : [ociRuntime]).map(
    (runtime): Attempt => ({
      name: 'oci',
      open: async () => {
        const path = await findRuntime(runtime, searchPath)
        if (path === undefined) throw new Error(`${runtime} is not installed`)
        const { singleId, userNamespace, seccomp, capabilities } = facts
        return await probeRuntime({ runtime: path, root, singleId, userNamespace, seccomp, capabilities })
      },
    }),
  )
  // Runtimes need what namespaces need; they help where only our own way is barred.
  if (isolation === 'auto') return ociRuntime !== undefined ? oci : [namespaces, ...(facts.canMount ? oci : []), chroot]
  return { namespaces: [namespaces], oci, chroot: [chroot] }[isolation]
}

async function opened<E extends Executor & { ready(): Promise<void> }>(executor: E): Promise<E> {
  try {
    await executor.ready()
    return executor
  } catch (error) {
    await executor[Symbol.asyncDispose]()
    throw error
  }
}
