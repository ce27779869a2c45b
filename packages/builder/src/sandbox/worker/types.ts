/** Types that both sides of the worker share. */
import type { ChildProcess } from 'node:child_process'

/**
 * `root`: a mount namespace; `subids`: a user namespace with a range of ids, too; `single`: one with the caller's id
 * only; `plain`: no namespace at all.
 */
export type WorkerMode = 'root' | 'subids' | 'single' | 'plain'

export interface Launched {
  readonly child: ChildProcess
  readonly mode: WorkerMode
  readonly reasons: readonly string[]
  /** The end of what the worker wrote to its stderr. */
  readonly errorOutput: () => string
}

/** Parameters and result of each operation, by name. */
export type OperationMap<T> = { readonly [O in keyof T]: { readonly params: unknown; readonly result: unknown } }

/** For callers that know their operations by other means. */
export type UntypedOperations = Readonly<Record<string, { readonly params: unknown; readonly result: unknown }>>

export interface WorkerOptions {
  /** Module that calls `serveWorker` with its operations. */
  readonly entry: URL
  /** Its arguments. */
  readonly args?: readonly string[]
  /** State directory: `compile-cache` in it speeds up the next start when this process has no such cache itself. */
  readonly root: string
  /** Forces a way to start instead of the best that works. */
  readonly mode?: WorkerMode | undefined
  /** Environment of the worker; default: the caller's. RUN never sees it. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal
}
