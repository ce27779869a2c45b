/** Errors for people: what went wrong and where, what the failed process said last, and what to do. */
import { inspect } from 'node:util'
import type { BuildError, Location } from '@tsbuild/builder'
import { escapeControls } from './progress/escape.ts'

const RULE = '------'
/** Lines of output and of the excerpt that are shown at most. */
const MAX_LOG_LINES = 50
const MAX_EXCERPT_LINES = 60

export interface RenderErrorOptions {
  /** Append the causes with their stack traces. */
  readonly debug: boolean
  /** What stands between `ERROR: ` and the message, such as `failed to solve: `. */
  readonly prefix?: string
}

/** The text for stderr, with a newline at its end. */
export async function renderError(error: unknown, options: RenderErrorOptions): Promise<string> {
  const lines: string[] = []
  const place = isBuildError(error) ? error : undefined
  if (place?.logTail && place.logTail.length > 0) lines.push(...logLines(place.step, place.logTail))
  if (place?.at) lines.push(...(await excerptLines(place.at)))
  lines.push(...messageLines(error, options))
  const hint = hintOf(error)
  if (hint) lines.push(`hint: ${hint}`)
  const text = lines.flatMap((line) => line.split('\n')).map((line) => escapeControls(line.replace(/\r$/, '')))
  if (options.debug) text.push(inspect(error, { depth: 4 }))
  return `${text.join('\n')}\n`
}

function logLines(step: string | undefined, tail: readonly string[]): string[] {
  const shown = tail.slice(-MAX_LOG_LINES).map((line) => line.replaceAll('\n', ' '))
  return [RULE, ` > ${step ?? 'output'}:`, ...shown, RULE]
}

async function excerptLines(at: Location): Promise<string[]> {
  const { excerpt } = await import('@tsbuild/builder')
  const lines = excerpt(at).split('\n')
  if (lines.length <= MAX_EXCERPT_LINES) return lines
  const half = MAX_EXCERPT_LINES / 2
  return [...lines.slice(0, half), `     [${lines.length - 2 * half} more lines]`, ...lines.slice(-half)]
}

function messageLines(error: unknown, options: RenderErrorOptions): string[] {
  const prefix = `ERROR: ${options.prefix ?? ''}`
  if (!(error instanceof Error)) return [`${prefix}${String(error)}`]
  if (isExpected(error)) return [`${prefix}${error.message}`]
  return [
    `${prefix}internal error: ${error.message || error.name}`,
    ...(options.debug
      ? []
      : ['hint: this is a mistake in tsbuild; run the command again with -D to see where it comes from']),
  ]
}

const EXPECTED: ReadonlySet<string> = new Set(['UsageError', 'CommandError', 'BuildError', 'RegistryError'])

/** Errors that are made to be read: our own ones, and those of the system (which name a file or an address). */
function isExpected(error: Error): boolean {
  if (EXPECTED.has(error.name)) return true
  return 'syscall' in error && typeof error.syscall === 'string'
}

/** By name, since the class would have to be loaded only to compare with it. */
function isBuildError(error: unknown): error is BuildError {
  return error instanceof Error && error.name === 'BuildError' && 'code' in error
}

function hintOf(error: unknown): string | undefined {
  return error instanceof Error && 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined
}
