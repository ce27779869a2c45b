/**
 * The scanner: cuts a Dockerfile into instructions. Work is linear in the text.
 *
 * It decides what the reference's parser decides: where instructions begin and end, which lines are comments, what
 * continues a line, where heredocs are, which words are flags, and whether arguments are in JSON form. What the words
 * mean is the business of instructions/.
 */
import { BuildError } from '../errors.ts'
import type { Location, SourceFile } from '../source.ts'
import { skipSpace } from '../util/go-text.ts'
import type { Dockerfile, Heredoc, RawInstruction, ScanWarning } from './ast.ts'
import { readDirectives } from './directives.ts'
import { dockerfileErrors } from './errors.ts'
import { findHeredocHeads, type HeredocHead, readHeredocBody } from './heredoc.ts'
import { makeInstruction, type ScannedLine } from './instruction.ts'
import { LogicalLine } from './logical-line.ts'
import type { Escape } from './words.ts'

/** Longest line in UTF-8 bytes, as in the reference. */
const maxLineBytes = 65535

/**
 * Scans a file.
 *
 * @throws the errors that the reference's parser has before it looks at the meaning of instructions, with their places
 */
export function scanDockerfile(source: SourceFile): Dockerfile {
  const { directives, escape: escapeChar, lines } = readDirectives(source)
  const scanner = new Scanner(source, escapeChar, source.lines(1, lines).end.offset)
  const instructions = scanner.scan()
  if (instructions.length === 0) {
    throw dockerfileErrors.empty([], { at: { file: source, range: source.range(0, source.text.length) } })
  }
  return { source, directives, escape: escapeChar, instructions, warnings: scanner.warnings }
}

/**
 * Scans one instruction that does not stand in a file: a trigger of a base image's config.
 *
 * @throws as {@link scanDockerfile}; places refer to `source`
 */
export function scanInstructions(source: SourceFile, escapeChar: Escape): readonly RawInstruction[] {
  return new Scanner(source, escapeChar, 0).scan()
}

class Scanner {
  readonly #source: SourceFile
  readonly #text: string
  readonly #escape: Escape
  readonly #escapeCode: number
  readonly warnings: ScanWarning[] = []
  /** Start of the next line. */
  #at: number
  #comments: string[] = []

  constructor(source: SourceFile, escapeChar: Escape, start: number) {
    this.#source = source
    this.#text = source.text
    this.#escape = escapeChar
    this.#escapeCode = escapeChar.charCodeAt(0)
    this.#at = start === 0 && source.text.startsWith('\ufeff') ? 1 : start
  }

  scan(): RawInstruction[] {
    const instructions: RawInstruction[] = []
    while (this.#at < this.#text.length) {
      const lineStart = this.#at
      const lineEnd = this.#nextLine()
      const start = skipSpace(this.#text, lineStart, lineEnd)
      if (start === lineEnd) continue
      if (this.#text.charCodeAt(start) === 0x23) this.#addComment(start, lineEnd)
      else instructions.push(this.#readInstruction(start, lineEnd))
    }
    return instructions
  }

  /** Moves past the line at the position; returns its end without the line ending. */
  #nextLine(): number {
    const start = this.#at
    const newline = this.#text.indexOf('\n', start)
    let end = newline < 0 ? this.#text.length : newline
    this.#checkLength(start, end)
    this.#at = newline < 0 ? end : newline + 1
    while (end > start && this.#text.charCodeAt(end - 1) === 0x0d) end--
    return end
  }

  readonly #checkLength = (start: number, end: number): void => {
    if ((end - start) * 3 <= maxLineBytes || Buffer.byteLength(this.#text.slice(start, end)) <= maxLineBytes) return
    throw dockerfileErrors.lineTooLong([maxLineBytes], {
      at: { file: this.#source, range: this.#source.range(start, end) },
    })
  }

  #addComment(start: number, end: number): void {
    const comment = this.#text.slice(start + 1, end).trim()
    if (comment === '') this.#comments = []
    else this.#comments.push(comment)
  }

  #readInstruction(start: number, firstEnd: number): RawInstruction {
    const { line, lastEnd } = this.#joinLines(start, firstEnd)
    const scanned: ScannedLine = { line, escape: this.#escape, comments: this.#comments, start, end: lastEnd }
    this.#comments = []
    const instruction = makeInstruction(scanned)
    const heredocs = instruction.takesHeredocs ? this.#readHeredocs(line, start, lastEnd) : []
    return heredocs.length === 0 ? instruction : instruction.withHeredocs(heredocs, heredocs.at(-1)!.range.end.offset)
  }

  /** Joins an instruction's lines; leaves out comments and blank lines between them. */
  #joinLines(start: number, firstEnd: number): { line: LogicalLine; lastEnd: number } {
    let cut = this.#continuation(start, firstEnd)
    if (cut < 0) {
      const text = this.#text.slice(start, firstEnd)
      return { line: new LogicalLine(this.#source, text, [{ at: 0, source: start }]), lastEnd: firstEnd }
    }
    let text = this.#text.slice(start, cut)
    let lastEnd = firstEnd
    let blank = false
    const pieces = [{ at: 0, source: start }]
    while (cut >= 0 && this.#at < this.#text.length) {
      const lineStart = this.#at
      const lineEnd = this.#nextLine()
      lastEnd = lineEnd
      const first = skipSpace(this.#text, lineStart, lineEnd)
      if (first === lineEnd) blank = true
      else if (this.#text.charCodeAt(first) !== 0x23) {
        cut = this.#continuation(lineStart, lineEnd)
        pieces.push({ at: text.length, source: lineStart })
        text += this.#text.slice(lineStart, cut < 0 ? lineEnd : cut)
      }
    }
    if (blank) {
      const { line } = this.#source.position(lastEnd)
      this.warnings.push({ kind: 'empty-continuation', range: this.#source.lines(line, line) })
    }
    return { line: new LogicalLine(this.#source, text, pieces), lastEnd }
  }

  /**
   * Where a line's text ends if the escape character continues it on the next line; -1 if it does not. An escape
   * character that follows another one continues nothing, however many there are.
   */
  #continuation(start: number, end: number): number {
    let at = end - 1
    while (at >= start && (this.#text.charCodeAt(at) === 0x20 || this.#text.charCodeAt(at) === 0x09)) at--
    if (at < start || this.#text.charCodeAt(at) !== this.#escapeCode) return -1
    return at > start && this.#text.charCodeAt(at - 1) === this.#escapeCode ? -1 : at
  }

  #readHeredocs(line: LogicalLine, start: number, end: number): Heredoc[] {
    if (!line.text.includes('<<')) return []
    const at = { file: this.#source, range: this.#source.range(start, end) }
    const heredocs: Heredoc[] = []
    for (const head of this.#findHeads(line, at)) {
      const body = readHeredocBody(this.#source, this.#at, head, this.#checkLength)
      if (body === undefined) throw dockerfileErrors.unterminatedHeredoc([head.name], { at })
      heredocs.push(body.heredoc)
      this.#at = body.next
    }
    return heredocs
  }

  #findHeads(line: LogicalLine, at: Location): HeredocHead[] {
    try {
      return findHeredocHeads(line.text)
    } catch (error) {
      throw error instanceof BuildError ? error.with({ at }) : error
    }
  }
}
