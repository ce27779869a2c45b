/** The JSON (exec) form of arguments: an array of strings. */
import { skipSpace } from '../util/go-text.ts'
import { type PlacedText, Span } from './words.ts'

/**
 * Reads `["a", "b"]` in [start, end) of a text. The words hold the decoded strings, their spans the literals with
 * their quotes.
 *
 * @returns undefined if it is no JSON array, `not-strings` if it is one of other things
 */
export function parseJsonArguments(source: PlacedText, start: number, end: number): Span[] | 'not-strings' | undefined {
  const { text } = source
  const open = skipSpace(text, start, end)
  if (open === end || text.charCodeAt(open) !== 0x5b) return undefined
  let values: unknown
  try {
    values = JSON.parse(text.slice(open, end))
  } catch {
    return undefined
  }
  const words: Span[] = []
  let at = open
  for (const value of values as unknown[]) {
    if (typeof value !== 'string') return 'not-strings'
    const literal = text.indexOf('"', at)
    at = literalEnd(text, literal)
    words.push(new Span(source, literal, at, value.toWellFormed()))
  }
  return words
}

/** The end of the JSON string literal that opens at `open`. */
function literalEnd(text: string, open: number): number {
  let at = open + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}
