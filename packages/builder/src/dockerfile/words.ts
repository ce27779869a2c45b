/**
 * The ways in which instructions split their arguments into words; quotes, escapes and variables stay as written.
 * One way per group of instructions, as in the reference's line parsers. All work on a part of a larger text, so that
 * nothing has to be cut out first.
 */
import type { Range } from '../source.ts'
import { isSpace, skipSpace } from '../util/go-text.ts'
import type { Word } from './ast.ts'

/** A text that is split, and where its parts stand in the file. */
export interface PlacedText {
  readonly text: string
  rangeOf(start: number, end: number): Range
}

/** A word: `text` is what counts, [start, end) where it stands in the text that was split. */
export class Span implements Word {
  readonly text: string
  readonly start: number
  readonly end: number
  readonly #source: PlacedText

  constructor(source: PlacedText, start: number, end: number, text = source.text.slice(start, end)) {
    this.text = text
    this.start = start
    this.end = end
    this.#source = source
  }

  get range(): Range {
    return this.#source.rangeOf(this.start, this.end)
  }
}

/** The character that escapes in this file. */
export type Escape = '\\' | '`'

/** Tab, vertical tab, form feed, carriage return, blank: what separates plain words (a line holds no newline). */
function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09 || (code >= 0x0b && code <= 0x0d)
}

/** The first offset in [start, end) that is blank; `end` if none is. */
export function findBlank(text: string, start: number, end: number): number {
  let at = start
  while (at < end && !isBlank(text.charCodeAt(at))) at++
  return at
}

/** The first offset in [start, end) that is not blank; `end` if all are. */
export function skipBlanks(text: string, start: number, end: number): number {
  let at = start
  while (at < end && isBlank(text.charCodeAt(at))) at++
  return at
}

/** Splits at blanks, quotes mean nothing: FROM, EXPOSE, COPY, ADD, VOLUME. */
export function splitBlanks(source: PlacedText, start: number, end: number): Span[] {
  const { text } = source
  const words: Span[] = []
  for (let at = skipBlanks(text, start, end); at < end; ) {
    const wordEnd = findBlank(text, at, end)
    words.push(new Span(source, at, wordEnd))
    at = skipBlanks(text, wordEnd, end)
  }
  return words
}

/** The whole text as one word; none if it is empty: RUN, CMD, WORKDIR and others. */
export function wholeText(source: PlacedText, start: number, end: number): Span[] {
  return start === end ? [] : [new Span(source, start, end)]
}

/**
 * Splits at blanks outside quotes: ENV, LABEL, ARG. Quotes and escapes stay in the words; an escape character as the
 * text's last one is dropped. An open quote ends with the text.
 */
export function splitQuoted(source: PlacedText, start: number, end: number, escapeChar: Escape): Span[] {
  const { text } = source
  const words: Span[] = []
  const escapeCode = escapeChar.charCodeAt(0)
  let at = skipSpace(text, start, end)
  while (at < end) {
    const wordStart = at
    let quote = 0
    let dropped = 0
    for (; at < end; at++) {
      const code = text.charCodeAt(at)
      if (code === escapeCode && quote !== 0x27) {
        if (at + 1 === end) dropped = 1
        else at++
      } else if (quote !== 0) {
        if (code === quote) quote = 0
      } else if (code === 0x22 || code === 0x27) quote = code
      else if (isSpace(code)) break
    }
    const wordEnd = at - dropped
    if (wordEnd > wordStart) words.push(new Span(source, wordStart, wordEnd))
    at = skipSpace(text, at, end)
  }
  return words
}

/** How ENV and LABEL are written, and the words of it. */
export interface NameValues {
  /** `name value`: the words are the name and all the rest. */
  readonly legacy: boolean
  readonly words: readonly Span[]
  /** What is wrong with it: the first word without `=`, or a legacy name without a value. */
  readonly problem?: { readonly kind: 'missing-equals' | 'missing-value'; readonly word: Span }
}

/** Splits ENV and LABEL: `name=value …`, or the legacy `name value` if the first word has no `=`. */
export function splitNameValues(source: PlacedText, start: number, end: number, escapeChar: Escape): NameValues {
  const words = splitQuoted(source, start, end, escapeChar)
  const first = words[0]
  if (first === undefined) return { legacy: false, words }
  if (!first.text.includes('=')) {
    const nameEnd = findBlank(source.text, start, end)
    const name = new Span(source, start, nameEnd)
    if (nameEnd === end) return { legacy: true, words: [name], problem: { kind: 'missing-value', word: name } }
    const value = new Span(source, skipBlanks(source.text, nameEnd, end), end)
    return { legacy: true, words: [name, value] }
  }
  const bad = words.find((word) => !word.text.includes('='))
  return bad === undefined
    ? { legacy: false, words }
    : { legacy: false, words, problem: { kind: 'missing-equals', word: bad } }
}
