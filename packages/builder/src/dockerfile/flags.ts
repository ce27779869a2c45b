/** Flags before the arguments of an instruction: `--name=value`, quoted parts, escapes, and `--` that ends them. */

import { isSpace, skipSpace } from '../util/go-text.ts'
import type { Escape } from './words.ts'

/** A flag with its place in the text it was read from. */
export interface FlagSpan {
  readonly name: string
  readonly value: string | undefined
  readonly start: number
  readonly end: number
}

/** The flags at the start of `text` from `from` on, and where the arguments begin. */
export function splitFlags(text: string, from: number, escapeChar: Escape): { flags: FlagSpan[]; rest: number } {
  const flags: FlagSpan[] = []
  let at = skipSpace(text, from)
  while (text.startsWith('--', at)) {
    const { decoded, end } = readFlag(text, at, escapeChar)
    if (decoded === '--') return { flags, rest: end }
    const equals = decoded.indexOf('=')
    flags.push({
      name: decoded.slice(2, equals < 0 ? undefined : equals),
      value: equals < 0 ? undefined : decoded.slice(equals + 1),
      start: at,
      end,
    })
    at = skipSpace(text, end)
  }
  return { flags, rest: at }
}

/** Reads up to the next blank outside quotes; quotes go, an escaped character stands for itself. */
function readFlag(text: string, start: number, escapeChar: Escape): { decoded: string; end: number } {
  let decoded = ''
  let quote = ''
  let at = start
  for (; at < text.length; at++) {
    const char = text[at]!
    if (quote === '' ? isSpace(char.charCodeAt(0)) : char === quote) {
      if (quote === '') break
      quote = ''
    } else if (quote === '' && (char === '"' || char === "'")) quote = char
    else if (char === escapeChar) {
      at++
      if (at < text.length) decoded += text[at]
    } else decoded += char
  }
  return { decoded, end: Math.min(at, text.length) }
}
