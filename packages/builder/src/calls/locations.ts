/** Places in the documents that the calls print: lines only, as the reference has no columns. */
import { basename } from 'node:path'
import type { Location, Range, SourceFile } from '../source.ts'

/** A place as BuildKit's protocol encodes it; empty fields are left out. */
export interface LocationJson {
  readonly ranges: readonly { readonly start: { readonly line: number }; readonly end: { readonly line: number } }[]
}

/** First and last line (1-based) that a range touches; a range that ends at the beginning of a line excludes it. */
export function lineSpan({ start, end }: Range): { readonly first: number; readonly last: number } {
  return { first: start.line, last: end.column === 0 && end.line > start.line ? end.line - 1 : end.line }
}

/** Lines of one place that are listed one by one. */
const maxRanges = 1000

/** One range per line, as the reference has it; a very long place is one range. */
export function locationJson(range: Range): LocationJson {
  const { first, last } = lineSpan(range)
  if (last - first >= maxRanges) return { ranges: [{ start: { line: first }, end: { line: last } }] }
  const lines = Array.from({ length: last - first + 1 }, (_, i) => ({ line: first + i }))
  return { ranges: lines.map((line) => ({ start: line, end: line })) }
}

/** How many lines the reference shows around a place: two around a single line, one around several. */
export function contextLines(at: Location): number {
  const { first, last } = lineSpan(at.range)
  return first === last ? 2 : 1
}

/** A file as the reference names it: without its directory. */
export function fileName(file: SourceFile): string {
  return basename(file.name) || 'Dockerfile'
}

/** The text in base64, as protobuf's JSON form of bytes. */
export function base64(file: SourceFile): string {
  return Buffer.from(file.text, 'utf8').toString('base64')
}
