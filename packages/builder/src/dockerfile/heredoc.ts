/** Heredocs: finding their heads in a logical line and reading their texts. */
import type { Range, SourceFile } from '../source.ts'
import type { Heredoc } from './ast.ts'
import { type ExpandOptions, expand } from './expand.ts'

/** `[fd]<<[-]NAME` without its text; `[fd]<< NAME` is the same. */
export type HeredocHead = Pick<Heredoc, 'name' | 'expand' | 'chomp' | 'fd'>

/** Blanks may stand between `<<` and the name, not between `<<-` and the name: there the word ends. */
const form = /^(\d*)<<(-?)[\t\n\f\r ]*([^<]*)$/
const nothing = new Map<string, string>()
/** The reference reads heads with the backslash, whatever the escape directive says. */
const headOptions: ExpandOptions = { escape: '\\', keepUnset: true }

/**
 * Reads one word as the head of a heredoc; undefined if it is none.
 *
 * @throws a BuildError if the name has an open quote or a bad `${`
 */
function parseHeredocHead(word: string): HeredocHead | undefined {
  const match = form.exec(word)
  const written = match?.[3]
  if (!match || !written) return undefined
  const words = expand(written, nothing, headOptions).words
  if (words.length !== 1) return undefined
  const name = words[0]!
  const raw = expand(written, nothing, { ...headOptions, rawQuotes: true }).words[0] ?? ''
  return {
    name,
    // A name with quotes somewhere in it asks for the text as it is.
    expand: countQuotes(name) === countQuotes(raw),
    chomp: match[2] === '-',
    fd: Math.min(Number(match[1] || 0), Number.MAX_SAFE_INTEGER),
  }
}

/** As {@link parseHeredocHead}, undefined for words that cannot be read. */
export function tryHeredocHead(word: string): HeredocHead | undefined {
  try {
    return parseHeredocHead(word)
  } catch {
    return undefined
  }
}

/** All heads in a line, in order. A line whose quotes do not match has none. */
export function findHeredocHeads(line: string): HeredocHead[] {
  let words: readonly string[]
  try {
    words = expand(line, nothing, { ...headOptions, rawQuotes: true, rawEscapes: true }).words
  } catch {
    return []
  }
  return words.map(parseHeredocHead).filter((head) => head !== undefined)
}

/** A heredoc with its text. */
class ScannedHeredoc implements Heredoc {
  readonly name: string
  readonly expand: boolean
  readonly chomp: boolean
  readonly fd: number
  readonly raw: string
  /** Offset behind the terminator. */
  readonly end: number
  readonly #source: SourceFile
  readonly #start: number

  constructor(source: SourceFile, start: number, end: number, head: HeredocHead, raw: string) {
    this.name = head.name
    this.expand = head.expand
    this.chomp = head.chomp
    this.fd = head.fd
    this.raw = raw
    this.end = end
    this.#source = source
    this.#start = start
  }

  get content(): string {
    return this.chomp ? this.raw.replace(/(^|\n)\t+/g, '$1') : this.raw
  }

  get range(): Range {
    return this.#source.range(this.#start, this.end)
  }
}

/**
 * Reads the text of a heredoc from offset `start`, which is the start of a line.
 *
 * @param checkLine called with the offsets of each line, for the bound on its length
 * @returns undefined if the file ends before the terminator
 */
export function readHeredocBody(
  source: SourceFile,
  start: number,
  head: HeredocHead,
  checkLine: (start: number, end: number) => void,
): ScannedHeredoc | undefined {
  const { text } = source
  for (let lineStart = start; lineStart < text.length; ) {
    const newline = text.indexOf('\n', lineStart)
    const lineEnd = newline < 0 ? text.length : newline
    checkLine(lineStart, lineEnd)
    if (isTerminator(text, lineStart, lineEnd, head)) {
      const raw = text.slice(start, lineStart)
      return new ScannedHeredoc(source, start, lineEnd, head, raw)
    }
    lineStart = lineEnd + 1
  }
  return undefined
}

function isTerminator(text: string, lineStart: number, lineEnd: number, head: HeredocHead): boolean {
  let at = lineStart
  if (head.chomp) while (text.charCodeAt(at) === 0x09) at++
  let end = lineEnd
  while (end > at && text.charCodeAt(end - 1) === 0x0d) end--
  return end - at === head.name.length && text.startsWith(head.name, at)
}

function countQuotes(text: string): number {
  let count = 0
  for (const char of text) if (char === '"' || char === "'") count++
  return count
}
