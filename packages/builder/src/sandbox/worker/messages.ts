/** What the main process and the worker say to each other over the IPC channel, and how errors travel. */
import { BuildError } from '../../errors.ts'
import { sandboxErrors } from '../errors.ts'

export type ToWorker =
  | { readonly type: 'call'; readonly id: number; readonly operation: string; readonly params: unknown }
  | { readonly type: 'abort'; readonly id: number }
  | { readonly type: 'close' }

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'event'; readonly id: number; readonly event: unknown }
  | { readonly type: 'result'; readonly id: number; readonly value: unknown }
  | { readonly type: 'error'; readonly id: number; readonly error: TransportedError }

/** A BuildError as plain data; `at` stays behind, since the worker knows no Dockerfile. */
export interface TransportedError {
  readonly code: string
  readonly message: string
  readonly hint: string | undefined
  readonly step: string | undefined
  readonly exitCode: number | undefined
  readonly logTail: readonly string[] | undefined
  /** Text of the causes, outermost first. */
  readonly causes: readonly string[]
}

const CAUSE_DEPTH = 5

/** Makes plain data of whatever was thrown. */
export function packError(error: unknown): TransportedError {
  if (error instanceof BuildError) {
    const { code, message, hint, step, exitCode, logTail } = error
    return { code, message, hint, step, exitCode, logTail, causes: causesOf(error.cause) }
  }
  // What came first: that something could not be ended after it follows from it.
  if (error instanceof SuppressedError) return packError(error.suppressed)
  const failed = sandboxErrors.operationFailed([textOf(error)])
  return { ...packError(failed), causes: causesOf(error) }
}

/** The BuildError that {@link packError} was given, with its causes as text. */
export function unpackError(packed: TransportedError): BuildError {
  const { code, message, causes, ...details } = packed
  let cause: unknown
  for (const text of causes.toReversed()) cause = new Error(text, cause === undefined ? undefined : { cause })
  return new BuildError(code, message, { ...details, cause })
}

function causesOf(error: unknown): string[] {
  const causes: string[] = []
  for (let at = error; at !== undefined && causes.length < CAUSE_DEPTH; at = at instanceof Error ? at.cause : undefined)
    causes.push(at instanceof Error ? (at.stack ?? at.message) : textOf(at))
  return causes
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
