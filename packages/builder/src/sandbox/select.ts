/** Chooses the executor: the most isolated that works here, or the one that was asked for. */
import { join } from 'node:path'
import { sandboxErrors } from './errors.ts'
import type { Executor } from './executor.ts'
import { machineFacts } from './machine.ts'
import { NamespacesExecutor } from './namespaces/executor.ts'
import { compileProfile } from './seccomp/compile.ts'

export type Isolation = 'auto' | 'namespaces' | 'oci' | 'chroot'

export interface SelectOptions {
  readonly isolation: Isolation
  /** Path or name of an OCI runtime; undefined: the first of runc, crun, youki that works. */
  readonly ociRuntime: string | undefined
  /** State directory. */
  readonly root: string
}

export interface Selected {
  readonly executor: Executor
  /** One line for the user when RUN is isolated less than usual. */
  readonly announcement: string | undefined
}

/** Opens an executor in the worker; the caller disposes it. Throws ISOLATION_UNAVAILABLE. */
export async function selectExecutor(options: SelectOptions): Promise<Selected> {
  const facts = machineFacts()
  const executor = new NamespacesExecutor({
    singleId: facts.singleId,
    seccomp: facts.seccomp ? compileProfile(process.arch) : undefined,
    compileCache: join(options.root, 'compile-cache'),
  })
  try {
    await executor.ready()
    return { executor, announcement: undefined }
  } catch (error) {
    await executor[Symbol.asyncDispose]()
    throw sandboxErrors.isolationUnavailable([error instanceof Error ? error.message : String(error)], { cause: error })
  }
}
