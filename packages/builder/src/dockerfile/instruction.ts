/**
 * One scanned instruction. Texts and places are made when they are asked for: a large file has many more of them than
 * anyone looks at.
 */
import { BuildError } from '../errors.ts'
import type { Location, Range, SourceFile } from '../source.ts'
import { type Parts, splitInstruction } from './arguments.ts'
import type { Flag, Heredoc, RawInstruction, Word } from './ast.ts'
import { continuationCut, joinLines, trimLineEnd } from './join.ts'
import type { KeywordInfo } from './keywords.ts'
import { type Escape, type PlacedText, wholeText } from './words.ts'

const noHeredocs: readonly Heredoc[] = []

/** One object of plain fields, as there are very many of them. Offsets count in the joined text, or in the file. */
export class ScannedInstruction implements RawInstruction, PlacedText {
  readonly comments: readonly string[]
  readonly form: 'shell' | 'exec'
  readonly legacy: boolean
  readonly flags: readonly Flag[]
  readonly #source: SourceFile
  /** Of the lines in the file, heredocs apart. */
  readonly #start: number
  readonly #end: number
  /** End of what belongs to it, heredocs included. */
  #last: number
  readonly #joined: string | undefined
  readonly #escape: Escape
  /** See {@link piecesOf}; made when the first place is asked for. */
  #pieces: readonly number[] | undefined
  readonly #info: KeywordInfo
  readonly #keywordStart: number
  readonly #keywordEnd: number
  readonly #restStart: number
  readonly #restEnd: number
  #heredocs = noHeredocs
  #words: readonly Word[] | undefined
  /** Whether the lines below it may be heredocs of it. */
  readonly takesHeredocs: boolean

  /**
   * Looks into the lines [start, end) of the file; `joined` is their text if there are several.
   *
   * @throws what the reference's line parsers refuse, see {@link splitInstruction}
   */
  constructor(
    source: SourceFile,
    start: number,
    end: number,
    joined: string | undefined,
    escapeChar: Escape,
    comments: readonly string[],
  ) {
    this.comments = comments
    this.#source = source
    this.#start = start
    this.#end = end
    this.#last = end
    this.#joined = joined
    this.#escape = escapeChar
    const parts = this.#split()
    this.form = parts.form
    this.takesHeredocs = parts.heredocs
    this.#info = parts.info
    this.#keywordStart = parts.keywordStart
    this.#keywordEnd = parts.keywordEnd
    this.#restStart = parts.restStart
    this.#restEnd = parts.restEnd
    this.#words = parts.words
    this.flags = parts.flags
    this.legacy = parts.legacy
  }

  get keyword(): string {
    return this.text.slice(this.#keywordStart, this.#keywordEnd)
  }

  get name(): string {
    return this.#info.name
  }

  get rest(): string {
    return this.text.slice(this.#restStart, this.#restEnd)
  }

  get original(): string {
    return this.#joined ?? this.#source.text.slice(this.#start, this.#end)
  }

  get words(): readonly Word[] {
    this.#words ??= wholeText(this, this.#restStart, this.#restEnd)
    return this.#words
  }

  get heredocs(): readonly Heredoc[] {
    return this.#heredocs
  }

  /** For the scanner, once it has read them; they reach to the offset `end` of the file. */
  addHeredocs(heredocs: readonly Heredoc[], end: number): void {
    this.#heredocs = heredocs
    this.#last = end
  }

  get keywordRange(): Range {
    return this.rangeOf(this.#keywordStart, this.#keywordEnd)
  }

  get range(): Range {
    return this.#source.range(this.#start, this.#last)
  }

  /** Where [start, end) of the text stands in the file. */
  rangeOf(start: number, end: number): Range {
    const first = this.#toSource(start)
    return this.#source.range(first, end > start ? this.#toSource(end - 1) + 1 : first)
  }

  /** The joined text, or that of the file; the instruction's offsets count in it. */
  get text(): string {
    return this.#joined ?? this.#source.text
  }

  #split(): Parts {
    try {
      return this.#joined === undefined
        ? splitInstruction(this, this.#start, this.#end, this.#escape)
        : splitInstruction(this, 0, this.#joined.length, this.#escape)
    } catch (error) {
      if (!(error instanceof BuildError)) throw error
      const at: Location = { file: this.#source, range: this.#source.range(this.#start, this.#end) }
      throw error.with({ at })
    }
  }

  #toSource(offset: number): number {
    if (this.#joined === undefined) return offset
    this.#pieces ??= piecesOf(this.#source.text, this.#start, this.#escape.charCodeAt(0))
    const pieces = this.#pieces
    let low = 0
    let high = pieces.length / 2 - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (pieces[2 * middle]! <= offset) low = middle
      else high = middle - 1
    }
    return pieces[2 * low + 1]! + Math.min(offset, this.#joined.length) - pieces[2 * low]!
  }
}

/** How a joined text maps to the file: pairs of an offset in it and the offset in the file of what begins there. */
function piecesOf(text: string, start: number, escapeCode: number): number[] {
  const found = text.indexOf('\n', start)
  const newline = found < 0 ? text.length : found
  const cut = continuationCut(text, start, trimLineEnd(text, start, newline), escapeCode)
  const pieces: number[] = []
  joinLines(text, start, cut, newline + 1, escapeCode, { piece: (at, source) => pieces.push(at, source) })
  return pieces
}
