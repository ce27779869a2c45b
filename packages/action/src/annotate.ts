/** What the builder says of a Dockerfile, at its lines. */
import type { BuildWarning } from '@tsbuild/builder'
import type { Runner } from './runner.ts'

/** Warnings at their lines. */
export function annotate(runner: Runner, warnings: readonly BuildWarning[], file: string | undefined): void {
  for (const { rule, message, url, at } of warnings) {
    const place = at === undefined || file === undefined ? {} : linesOf(file, at)
    runner.warning(`${message}${url ? ` (${url})` : ''}`, { title: rule, ...place })
  }
}

/** A place as annotations name it. */
export function linesOf(
  file: string,
  { range }: NonNullable<BuildWarning['at']>,
): { file: string; line: number; endLine: number } {
  const { start, end } = range
  // The end of a range is the first place behind it.
  const last = end.column === 0 && end.line > start.line ? end.line - 1 : end.line
  return { file, line: start.line, endLine: last }
}
