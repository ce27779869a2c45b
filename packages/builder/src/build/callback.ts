/** Functions that the caller hands in and that fail. */
import { BuildError, defineError } from '../errors.ts'

export const callbackErrors = {
  callbackFailed: defineError({
    code: 'CALLBACK_FAILED',
    doc: "A function that the caller of the library has given, such as onProgress, threw. The caller's own error is the cause.",
    message: (option: string, problem: string) => `${option} threw: ${problem}`,
  }),
}

/** What a function of the caller threw, as the error that the call ends with; a BuildError is the caller's choice. */
export function callbackFailure(option: string, cause: unknown): BuildError {
  if (cause instanceof BuildError) return cause
  return callbackErrors.callbackFailed([option, cause instanceof Error ? cause.message : String(cause)], { cause })
}
