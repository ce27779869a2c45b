/** Flags before the arguments of an instruction: `--name=value`, quoted parts, escapes, and `--` that ends them. */
import type { Range } from '../source.ts'
import { isSpace, skipSpace } from '../util/go-text.ts'
import type { Flag } from './ast.ts'
import type { Escape, PlacedText } from './words.ts'

/** A flag with its place in the text it was read from. */
class FlagSpan implements Flag {
  readonly name: string
  readonly value: string | undefined
  readonly #source: PlacedText
  readonly #start: number
  readonly #end: number

  constructor(source: PlacedText, start: number, end: number, decoded: string) {
    const equals = decoded.indexOf('=')
    this.name = decoded.slice(2, equals < 0 ? undefined : equals)
    this.value = equals < 0 ? undefined : decoded.slice(equals + 1)
    this.#source = source
    this.#start = start
    this.#end = end
  }

  get raw(): string {
    return this.#source.text.slice(this.#start, this.#end)
  }

  get range(): Range {
    return this.#source.rangeOf(this.#start, this.#end)
  }
}

/** Flags, and where the arguments begin. */
export interface FlagList {
  readonly flags: readonly Flag[]
  readonly rest: number
}

/** Whether a flag begins at `at`. */
export function isFlag(text: string, at: number, end: number): boolean {
  return at + 1 < end && text.charCodeAt(at) === 0x2d && text.charCodeAt(at + 1) === 0x2d
}

/** The flags at the start of [start, end) of a text. */
export function splitFlags(source: PlacedText, start: number, end: number, escapeChar: Escape): FlagList {
  const { text } = source
  const flags: Flag[] = []
  let at = skipSpace(text, start, end)
  while (isFlag(text, at, end)) {
    const { decoded, flagEnd } = readFlag(text, at, end, escapeChar)
    if (decoded === '--') return { flags, rest: flagEnd }
    flags.push(new FlagSpan(source, at, flagEnd, decoded))
    at = skipSpace(text, flagEnd, end)
  }
  return { flags, rest: at }
}

/** Reads up to the next blank outside quotes; quotes go, an escaped character stands for itself. */
function readFlag(text: string, start: number, end: number, escapeChar: Escape): { decoded: string; flagEnd: number } {
  const escapeCode = escapeChar.charCodeAt(0)
  let decoded = ''
  let quote = 0
  let copied = start
  let at = start
  for (; at < end; at++) {
    const code = text.charCodeAt(at)
    if (quote === 0 && isSpace(code)) break
    const isQuote = quote === 0 ? code === 0x22 || code === 0x27 : code === quote
    if (!isQuote && code !== escapeCode) continue
    decoded += text.slice(copied, at)
    copied = at + 1
    // The escaped character is copied with what follows it, whatever it is.
    if (!isQuote) at++
    else quote = quote === 0 ? code : 0
  }
  const flagEnd = Math.min(at, end)
  return { decoded: decoded + text.slice(copied, flagEnd), flagEnd }
}
