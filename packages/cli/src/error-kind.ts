/** What kind of failure an error is. The libraries are loaded for their classes when it is none of the command's own. */
import type { BuildError } from '@tsbuild/builder'
import { CommandError } from './command-error.ts'
import { UsageError } from './usage-error.ts'

/** Codes of the library that say that an option is wrong, before anything was done. */
const USAGE_CODES: ReadonlySet<string> = new Set(['OPTION_INVALID', 'OUTPUT_INVALID', 'STDIN_TWICE', 'STDIN_MISSING'])

/** Codes of the registry client that say that a name or platform cannot be what was meant. */
const WRONG_WORDS: ReadonlySet<string> = new Set(['REFERENCE_INVALID', 'PLATFORM_INVALID'])

/** The command line is wrong: exit code 2. */
export async function isUsageError(error: unknown): Promise<boolean> {
  if (error instanceof UsageError) return true
  const build = await buildErrorOf(error)
  return build === undefined ? await isRegistryError(error, WRONG_WORDS) : USAGE_CODES.has(build.code)
}

/** An error of the library; undefined for all others. */
export async function buildErrorOf(error: unknown): Promise<BuildError | undefined> {
  if (isOwn(error)) return undefined
  const { BuildError } = await import('@tsbuild/builder')
  return error instanceof BuildError ? error : undefined
}

/** The error that says what happened: the library wraps what it did not expect. */
export async function unwrap(error: unknown): Promise<unknown> {
  const build = await buildErrorOf(error)
  return build?.code === 'INTERNAL' && build.cause instanceof Error ? build.cause : error
}

/** Errors that are made to be read: our own ones, and those of the system (which name a file or an address). */
export async function isExpected(error: Error): Promise<boolean> {
  if (isOwn(error) || ('syscall' in error && typeof error.syscall === 'string')) return true
  const build = await buildErrorOf(error)
  return build === undefined ? await isRegistryError(error) : build.code !== 'INTERNAL'
}

function isOwn(error: unknown): boolean {
  return error instanceof UsageError || error instanceof CommandError
}

async function isRegistryError(error: unknown, codes?: ReadonlySet<string>): Promise<boolean> {
  if (isOwn(error)) return false
  const { RegistryError } = await import('@tsbuild/registry-client')
  return error instanceof RegistryError && (codes?.has(error.code) ?? true)
}
