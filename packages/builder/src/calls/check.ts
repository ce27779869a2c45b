/** `--call=check`: the findings as the reference prints them, as text and as JSON. */
import type { RawInstruction } from '../dockerfile/ast.ts'
import type { BuildError } from '../errors.ts'
import type { BuildWarning } from '../progress.ts'
import type { CheckResult } from '../results.ts'
import { excerpt, type Location, lineSpan, type Range, type SourceFile } from '../source.ts'
import { base64, contextLines, fileName, type LocationJson, locationJson } from './locations.ts'

/** The document that the reference prints with format=json. */
export interface CheckJson {
  readonly warnings: readonly {
    readonly ruleName: string
    readonly description?: string
    readonly url?: string
    readonly detail: string
    readonly location?: LocationJson
  }[]
  readonly sources: readonly { readonly filename: string; readonly language: string; readonly data: string }[]
  readonly buildError?: { readonly message: string; readonly location?: LocationJson }
}

/** A {@link CheckResult} with its document typed. */
export interface CheckReport extends CheckResult {
  readonly source: SourceFile
  readonly json: CheckJson
}

/**
 * Puts the findings together.
 *
 * @param warnings of the linter, in its order
 * @param violation the linter's verdict (`error=true`), if any
 * @param error what would fail the build otherwise: it comes first
 * @param instructions of the file, if it could be scanned: the document gives the lines of a whole instruction, where
 *   our errors point at a word
 */
export function checkReport(
  source: SourceFile,
  warnings: readonly BuildWarning[],
  violation: BuildError | undefined,
  error: BuildError | undefined,
  instructions: readonly RawInstruction[] = [],
): CheckReport {
  const failure = error ?? violation
  return {
    source,
    warnings,
    failed: error === undefined && violation !== undefined,
    ...(failure && { error: errorPart(failure) }),
    json: {
      warnings: warnings.map(({ rule, description, url, message, at }) => ({
        ruleName: rule,
        ...(description && { description }),
        ...(url && { url }),
        detail: message,
        ...(at && { location: locationJson(at.range) }),
      })),
      sources: [{ filename: fileName(source), language: 'Dockerfile', data: base64(source) }],
      ...(failure && {
        buildError: {
          message: failure.message,
          ...(failure.at && {
            location: locationJson(
              ...[failure.at, ...(failure.also ?? [])].map(({ range }) => enclosing(range, instructions)),
            ),
          }),
        },
      }),
    },
  }
}

function errorPart({ message, at, also }: BuildError): NonNullable<CheckResult['error']> {
  return { message, ...(at && { at }), ...(also?.length && { also }) }
}

/** Exit status of a check: 1 if there is anything to say. */
export function checkExitCode(result: CheckResult): 0 | 1 {
  return result.warnings.length > 0 || result.error !== undefined ? 1 : 0
}

/** What a check prints to stdout: findings by place. The error, if any, goes to stderr: {@link checkErrorText}. */
export function checkText(result: CheckResult): string {
  const { warnings, error } = result
  if (warnings.length === 0) return error ? '' : 'Check complete, no warnings found.\n'
  const count = warnings.length === 1 ? '1 warning has been found!' : `${warnings.length} warnings have been found!`
  const sorted = [...warnings].sort((a, b) => firstLine(a.at) - firstLine(b.at))
  return `Check complete, ${count}\n${sorted.map(warningText).join('')}`
}

/** The error of a check with its place, '' if there is none. */
export function checkErrorText(result: CheckResult): string {
  const { error } = result
  if (error === undefined) return ''
  const { at, also = [], message } = error
  if (at === undefined) return `${message}\n`
  const ranges = also.map(({ range }) => range)
  return `${message}\n${excerpt(at, contextLines(at, also), ranges)}\n`
}

function warningText({ rule, url, message, at }: BuildWarning): string {
  const head = `\nWARNING: ${rule}${url ? ` - ${url}` : ''}\n${message}\n`
  return at ? `${head}${excerpt(at, contextLines(at))}\n` : head
}

function firstLine(at: Location | undefined): number {
  return at ? lineSpan(at.range).first : 0
}

function enclosing(range: Range, instructions: readonly RawInstruction[]): Range {
  const at = range.start.offset
  return instructions.find((i) => i.range.start.offset <= at && at < i.range.end.offset)?.range ?? range
}
