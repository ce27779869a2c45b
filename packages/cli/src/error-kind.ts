/** What kind of failure an error is, told from its name and code: the classes would have to be loaded to be compared. */
import type { BuildError } from '@tsbuild/builder'

/** Codes of the library that say that an option is wrong, before anything was done. */
const USAGE_CODES: ReadonlySet<unknown> = new Set(['OPTION_INVALID', 'OUTPUT_INVALID', 'STDIN_TWICE', 'STDIN_MISSING'])

const EXPECTED: ReadonlySet<string> = new Set(['UsageError', 'CommandError', 'BuildError', 'RegistryError'])

/** Codes of the registry client that say that a name or platform cannot be what was meant. */
const WRONG_WORDS: ReadonlySet<unknown> = new Set(['REFERENCE_INVALID', 'PLATFORM_INVALID'])

/** The command line is wrong: exit code 2. */
export function isUsageError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false
  if (isBuildError(error)) return USAGE_CODES.has(error.code)
  return (
    error.name === 'UsageError' || (error.name === 'RegistryError' && 'code' in error && WRONG_WORDS.has(error.code))
  )
}

export function isBuildError(error: unknown): error is BuildError {
  return error instanceof Error && error.name === 'BuildError' && 'code' in error
}

/** The error that says what happened: the library wraps what it did not expect. */
export function unwrap(error: unknown): unknown {
  return isBuildError(error) && error.code === 'INTERNAL' && error.cause instanceof Error ? error.cause : error
}

/** Errors that are made to be read: our own ones, and those of the system (which name a file or an address). */
export function isExpected(error: Error): boolean {
  if (isBuildError(error)) return error.code !== 'INTERNAL'
  return EXPECTED.has(error.name) || ('syscall' in error && typeof error.syscall === 'string')
}
