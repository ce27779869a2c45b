/**
 * The one error type that leaves the library, and the way its codes are defined.
 *
 * A folder that can fail has an `errors.ts` with {@link defineErrors}: one entry per code. The catalog of all codes
 * (error-catalog.ts) is the source of docs/errors.md. Secrets and credentials never appear in messages.
 */
import type { Location } from './source.ts'

/** What a {@link BuildError} may carry beside its message. */
export interface BuildErrorDetails {
  /** Where in the Dockerfile (or another source text) the cause stands. */
  at?: Location | undefined
  /** Further places of the same cause, in their order, such as the other instructions of a circle. */
  also?: readonly Location[] | undefined
  /** What the user can do next, one sentence. */
  hint?: string | undefined
  /** The step that failed, as progress shows it: `[stage-0 2/3] RUN make`. */
  step?: string | undefined
  /** Exit code of the process that failed. */
  exitCode?: number | undefined
  /** The last lines that the failed process printed. */
  logTail?: readonly string[] | undefined
  cause?: unknown
}

/** Every failure of a build. `code` is stable across releases; `message` is for people and may change. */
export class BuildError extends Error {
  override readonly name = 'BuildError'
  readonly code: string
  readonly at: Location | undefined
  readonly also: readonly Location[] | undefined
  readonly hint: string | undefined
  readonly step: string | undefined
  readonly exitCode: number | undefined
  readonly logTail: readonly string[] | undefined

  constructor(code: string, message: string, details: BuildErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.at = details.at
    this.also = details.also
    this.hint = details.hint
    this.step = details.step
    this.exitCode = details.exitCode
    this.logTail = details.logTail
  }

  /** The same error with details added where it has none: the inner place wins over the outer one. */
  with(details: BuildErrorDetails): BuildError {
    return new BuildError(this.code, this.message, {
      at: this.at ?? details.at,
      also: this.at === undefined ? details.also : this.also,
      hint: this.hint ?? details.hint,
      step: this.step ?? details.step,
      exitCode: this.exitCode ?? details.exitCode,
      logTail: this.logTail ?? details.logTail,
      cause: this.cause ?? details.cause,
    })
  }
}

/** One error code: what its message says and what helps. `doc` is the paragraph of docs/errors.md. */
export interface ErrorDefinition<A extends readonly unknown[]> {
  readonly code: string
  readonly doc: string
  readonly message: (...args: A) => string
  readonly hint?: string | ((...args: A) => string | undefined)
}

/** Makes a {@link BuildError} of one code from the arguments of its message; `.definition` documents the code. */
export interface ErrorFactory<A extends readonly unknown[]> {
  (args: A, details?: BuildErrorDetails): BuildError
  readonly definition: ErrorDefinition<A>
}

/** Defines one error code. */
export function defineError<const A extends readonly unknown[]>(definition: ErrorDefinition<A>): ErrorFactory<A> {
  const make = (args: A, details: BuildErrorDetails = {}): BuildError => {
    const hint = typeof definition.hint === 'function' ? definition.hint(...args) : definition.hint
    return new BuildError(definition.code, definition.message(...args), { hint, ...details })
  }
  return Object.assign(make, { definition })
}

/** The error that an aborted build ends with: `signal.reason` as its cause. */
export const cancelled = defineError({
  code: 'CANCELLED',
  doc: 'The build was cancelled: by Ctrl-C or by the AbortSignal that the caller passed in.',
  message: () => 'the build was cancelled',
})

/** What the system refused, where nothing better can be said. */
export const systemFailed = defineError({
  code: 'SYSTEM_ERROR',
  doc: 'The operating system refused something that the call needs: a path that is missing or not writable, a full disk, an address in use.',
  message: (what: string, reason: string) => (what === '' ? reason : `${what}: ${reason}`),
})

/** What the system refused of an output, wherever it is written. */
export const outputFailed = defineError({
  code: 'OUTPUT_FAILED',
  doc: 'Writing an output failed: no space, no permission, or a path that is in the way. Nothing half-written is left.',
  message: (dest: string, problem: string) => `failed to write ${dest}: ${problem}`,
  hint: 'name a destination that you may write to, on a disk that has room for it',
})

/** Throws {@link cancelled} if the signal is aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled([], { cause: signal.reason })
}
