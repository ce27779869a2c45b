/** Places in the documents that the calls print: lines only, as the reference has no columns. */
import { basename } from 'node:path'
import { type Location, lineSpan, type Range, type SourceFile } from '../source.ts'

/** A place as BuildKit's protocol encodes it; empty fields are left out. */
export interface LocationJson {
  readonly ranges: readonly { readonly start: { readonly line: number }; readonly end: { readonly line: number } }[]
}

/** Lines of one place that are listed one by one. */
const maxRanges = 1000

/** One range per line in their order, as the reference has it; a very long place is one range. */
export function locationJson(...ranges: readonly Range[]): LocationJson {
  const starts = new Map<
    number,
    { readonly start: { readonly line: number }; readonly end: { readonly line: number } }
  >()
  for (const { first, last } of ranges.map(lineSpan)) {
    if (last - first >= maxRanges) starts.set(first, { start: { line: first }, end: { line: last } })
    else for (let line = first; line <= last; line++) starts.set(line, { start: { line }, end: { line } })
  }
  return { ranges: [...starts].sort(([a], [b]) => a - b).map(([, range]) => range) }
}

/** How many lines the reference shows around a place: two around a single line, one around several. */
export function contextLines(at: Location, also: readonly Location[] = []): number {
  const { first, last } = lineSpan(at.range)
  return first === last && also.length === 0 ? 2 : 1
}

/** A file as the reference names it: without its directory. */
export function fileName(file: SourceFile): string {
  return basename(file.name) || 'Dockerfile'
}

/** The text in base64, as protobuf's JSON form of bytes. */
export function base64(file: SourceFile): string {
  return Buffer.from(file.text, 'utf8').toString('base64')
}
