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
import { ScannedInstruction } from './instruction.ts'
import { continuationCut, type JoinedLines, joinLines, trimLineEnd } from './join.ts'
import type { Escape } from './words.ts'

/** Longest line in UTF-8 bytes, as in the reference. */
const maxLineBytes = 65535
/** Shared by the many instructions without comments. */
const noComments: readonly string[] = []

/**
 * Scans a file.
 *
 * @throws the errors that the reference's parser has before it looks at the meaning of instructions, with their places
 */
export function scanDockerfile(source: SourceFile): Dockerfile {
  const { directives, escape: escapeChar, end } = readDirectives(source)
  const scanner = new Scanner(source, escapeChar, end)
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
      if (this.#text.charCodeAt(start) === 0x23) this.#addComment(lineStart, lineEnd)
      else instructions.push(this.#readInstruction(start, lineEnd))
    }
    return instructions
  }

  /** Moves past the line at the position; returns its end without the line ending. */
  #nextLine(): number {
    const start = this.#at
    const found = this.#text.indexOf('\n', start)
    const newline = found < 0 ? this.#text.length : found
    this.#checkLength(start, newline)
    this.#at = found < 0 ? newline : newline + 1
    return trimLineEnd(this.#text, start, newline)
  }

  readonly #checkLength = (start: number, end: number): void => {
    if ((end - start) * 3 <= maxLineBytes || Buffer.byteLength(this.#text.slice(start, end)) <= maxLineBytes) return
    throw dockerfileErrors.lineTooLong([maxLineBytes], {
      at: { file: this.#source, range: this.#source.range(start, end) },
    })
  }

  readonly #visitor = { line: this.#checkLength }

  /** The reference drops the first character of the line, whatever it is, so an indented comment keeps its `#`. */
  #addComment(start: number, end: number): void {
    const comment = this.#text.slice(start + 1, end).trim()
    if (comment === '') this.#comments = []
    else this.#comments.push(comment)
  }

  #takeComments(): readonly string[] {
    if (this.#comments.length === 0) return noComments
    const comments = this.#comments
    this.#comments = []
    return comments
  }

  #readInstruction(start: number, firstEnd: number): RawInstruction {
    const cut = continuationCut(this.#text, start, firstEnd, this.#escapeCode)
    const joined = cut < 0 ? undefined : this.#joinLines(start, cut)
    const end = joined === undefined ? firstEnd : joined.end
    const comments = this.#takeComments()
    const instruction = new ScannedInstruction(this.#source, start, end, joined?.text, this.#escape, comments)
    if (instruction.takesHeredocs) this.#readHeredocs(instruction, start, end)
    return instruction
  }

  #joinLines(start: number, cut: number): JoinedLines {
    const joined = joinLines(this.#text, start, cut, this.#at, this.#escapeCode, this.#visitor)
    this.#at = joined.next
    if (joined.blank) {
      const { line } = this.#source.position(joined.end)
      this.warnings.push({ kind: 'empty-continuation', range: this.#source.lines(line, line) })
    }
    return joined
  }

  #readHeredocs(instruction: ScannedInstruction, start: number, end: number): void {
    const { original } = instruction
    if (!original.includes('<<')) return
    const place = (): Location => ({ file: this.#source, range: this.#source.range(start, end) })
    const heredocs: Heredoc[] = []
    let last = end
    for (const head of this.#findHeads(original, place)) {
      const heredoc = readHeredocBody(this.#source, this.#at, head, this.#checkLength)
      if (heredoc === undefined) throw dockerfileErrors.unterminatedHeredoc([head.name], { at: place() })
      heredocs.push(heredoc)
      last = heredoc.end
      this.#at = Math.min(last + 1, this.#text.length)
    }
    if (heredocs.length > 0) instruction.addHeredocs(heredocs, last)
  }

  #findHeads(line: string, place: () => Location): HeredocHead[] {
    try {
      return findHeredocHeads(line)
    } catch (error) {
      throw error instanceof BuildError ? error.with({ at: place() }) : error
    }
  }
}
