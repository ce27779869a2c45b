/** Errors for people: what went wrong and where, what the failed process said last, and what to do. */
import { getSystemErrorMessage, inspect } from 'node:util'
import type { Location } from '@tsbuild/builder'
import { buildErrorOf, isExpected, unwrap } from './error-kind.ts'
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
  const place = await buildErrorOf(error)
  if (place?.logTail && place.logTail.length > 0) lines.push(...logLines(place.step, place.logTail))
  for (const at of [place?.at ?? [], place?.also ?? []].flat()) lines.push(...(await excerptLines(at)))
  const reason = await unwrap(error)
  lines.push(...(await messageLines(reason, options)))
  const hint = hintOf(reason)
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

async function messageLines(error: unknown, options: RenderErrorOptions): Promise<string[]> {
  const prefix = `ERROR: ${options.prefix ?? ''}`
  if (!(error instanceof Error)) return [`${prefix}${String(error)}`]
  if (await isExpected(error)) return [`${prefix}${systemMessage(error) ?? error.message}`]
  return [
    `${prefix}internal error: ${error.message || error.name}`,
    ...(options.debug
      ? []
      : ['hint: this is a mistake in tsbuild; run the command again with -D to see where it comes from']),
  ]
}

/** What the system said, about which path or address, without Node's codes and names of calls. */
function systemMessage(error: Error): string | undefined {
  const { errno, path, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number }
  if (typeof errno !== 'number') return undefined
  const what = path ?? (address === undefined ? undefined : port === undefined ? address : `${address}:${port}`)
  const reason = getSystemErrorMessage(errno)
  return reason && (what === undefined ? reason : `${what}: ${reason}`)
}

function hintOf(error: unknown): string | undefined {
  return error instanceof Error && 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined
}
