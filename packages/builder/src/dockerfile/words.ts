/**
 * The ways in which instructions split their arguments into words; quotes, escapes and variables stay as written.
 * One way per group of instructions, as in the reference's line parsers.
 */
import { isSpace, skipSpace } from '../util/go-text.ts'

/** A word of a text: `text` is what counts, [start, end) where it stands in the text that was split. */
export interface Span {
  readonly text: string
  readonly start: number
  readonly end: number
}

/** The character that escapes in this file. */
export type Escape = '\\' | '`'

/** Tab, vertical tab, form feed, carriage return, blank: what separates plain words (a line holds no newline). */
function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09 || (code >= 0x0b && code <= 0x0d)
}

/** The first offset from `start` on that is blank (or not blank, with `blank` false); the text's length if none. */
export function findBlank(text: string, start: number, blank = true): number {
  let at = start
  while (at < text.length && isBlank(text.charCodeAt(at)) !== blank) at++
  return at
}

/** Splits at blanks, quotes mean nothing: FROM, EXPOSE, COPY, ADD, VOLUME. */
export function splitBlanks(text: string): Span[] {
  const words: Span[] = []
  for (let at = findBlank(text, 0, false); at < text.length; ) {
    const end = findBlank(text, at)
    words.push({ text: text.slice(at, end), start: at, end })
    at = findBlank(text, end, false)
  }
  return words
}

/** The whole text as one word; none if it is empty: RUN, CMD, WORKDIR and others. */
export function wholeText(text: string): Span[] {
  return text === '' ? [] : [{ text, start: 0, end: text.length }]
}

/**
 * Splits at blanks outside quotes: ENV, LABEL, ARG. Quotes and escapes stay in the words; an escape character as the
 * text's last one is dropped. An open quote ends with the text.
 */
export function splitQuoted(text: string, escapeChar: Escape): Span[] {
  const words: Span[] = []
  const escapeCode = escapeChar.charCodeAt(0)
  let at = skipSpace(text, 0)
  while (at < text.length) {
    const start = at
    let quote = 0
    let dropped = 0
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === escapeCode && quote !== 0x27) {
        if (at + 1 === text.length) dropped = 1
        else at++
      } else if (quote !== 0) {
        if (code === quote) quote = 0
      } else if (code === 0x22 || code === 0x27) quote = code
      else if (isSpace(code)) break
    }
    const end = Math.min(at, text.length)
    if (end - dropped > start) words.push({ text: text.slice(start, end - dropped), start, end: end - dropped })
    at = skipSpace(text, end)
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
export function splitNameValues(text: string, escapeChar: Escape): NameValues {
  const words = splitQuoted(text, escapeChar)
  const first = words[0]
  if (first === undefined) return { legacy: false, words }
  if (!first.text.includes('=')) {
    const nameEnd = findBlank(text, 0)
    const name = { text: text.slice(0, nameEnd), start: 0, end: nameEnd }
    if (nameEnd === text.length) return { legacy: true, words: [name], problem: { kind: 'missing-value', word: name } }
    const valueStart = findBlank(text, nameEnd, false)
    return { legacy: true, words: [name, { text: text.slice(valueStart), start: valueStart, end: text.length }] }
  }
  const bad = words.find((word) => !word.text.includes('='))
  return bad === undefined
    ? { legacy: false, words }
    : { legacy: false, words, problem: { kind: 'missing-equals', word: bad } }
}
