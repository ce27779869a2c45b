/** The JSON (exec) form of arguments: an array of strings. */

import { skipSpace } from '../util/go-text.ts'
import type { Span } from './words.ts'

/** What a text is when it is tried as JSON: an array of strings, an array with other things, or no JSON array. */
export type JsonArguments =
  | { readonly kind: 'strings'; readonly words: readonly Span[] }
  | { readonly kind: 'not-strings' }
  | { readonly kind: 'not-json' }

/** Reads `["a", "b"]`. The words hold the decoded strings, their spans the literals with their quotes. */
export function parseJsonArguments(text: string): JsonArguments {
  const start = skipSpace(text, 0)
  if (text[start] !== '[') return { kind: 'not-json' }
  let values: unknown
  try {
    values = JSON.parse(text.slice(start))
  } catch {
    return { kind: 'not-json' }
  }
  const words: Span[] = []
  let at = start
  for (const value of values as unknown[]) {
    if (typeof value !== 'string') return { kind: 'not-strings' }
    const open = text.indexOf('"', at)
    at = literalEnd(text, open)
    words.push({ text: value.toWellFormed(), start: open, end: at })
  }
  return { kind: 'strings', words }
}

/** The end of the JSON string literal that opens at `open`. */
function literalEnd(text: string, open: number): number {
  let at = open + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}
