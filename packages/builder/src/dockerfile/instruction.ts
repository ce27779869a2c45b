/**
 * One scanned instruction. Texts and places are made when they are asked for: a large file has many more of them than
 * anyone looks at.
 */
import { BuildError } from '../errors.ts'
import type { Location, Range, SourceFile } from '../source.ts'
import { type Parts, splitInstruction } from './arguments.ts'
import type { Flag, Heredoc, RawInstruction, Word } from './ast.ts'
import type { FlagSpan } from './flags.ts'
import type { KeywordInfo } from './keywords.ts'
import { type Escape, type Span, wholeText } from './words.ts'

/** The lines of an instruction joined into one text. */
export interface JoinedText {
  readonly text: string
  /** Pairs: an offset in the text, and the offset in the file of what begins there. */
  readonly pieces: readonly number[]
}

const noHeredocs: readonly Heredoc[] = []
const noFlags: readonly Flag[] = []

/** One object of plain fields, as there are very many of them. Offsets count in the joined text, or in the file. */
export class ScannedInstruction implements RawInstruction {
  readonly comments: readonly string[]
  readonly form: 'shell' | 'exec'
  readonly #source: SourceFile
  /** Of the lines in the file, heredocs apart. */
  readonly #start: number
  readonly #end: number
  readonly #joined: JoinedText | undefined
  readonly #info: KeywordInfo
  readonly #keywordStart: number
  readonly #keywordEnd: number
  readonly #flagSpans: readonly FlagSpan[]
  readonly #restStart: number
  readonly #restEnd: number
  readonly #wordSpans: readonly Span[] | undefined
  #heredocs = noHeredocs
  #words: readonly Word[] | undefined
  /** Whether the lines below it may be heredocs of it. */
  readonly takesHeredocs: boolean

  /**
   * Looks into the lines [start, end) of the file; `joined` if there are several.
   *
   * @throws what the reference's line parsers refuse, see {@link splitInstruction}
   */
  constructor(
    source: SourceFile,
    start: number,
    end: number,
    joined: JoinedText | undefined,
    escapeChar: Escape,
    comments: readonly string[],
  ) {
    this.comments = comments
    this.#source = source
    this.#start = start
    this.#end = end
    this.#joined = joined
    const parts = this.#split(escapeChar)
    this.form = parts.form
    this.takesHeredocs = parts.heredocs
    this.#info = parts.info
    this.#keywordStart = parts.keywordStart
    this.#keywordEnd = parts.keywordEnd
    this.#flagSpans = parts.flags
    this.#restStart = parts.restStart
    this.#restEnd = parts.restEnd
    this.#wordSpans = parts.words
  }

  get keyword(): string {
    return this.textOf(this.#keywordStart, this.#keywordEnd)
  }

  get name(): string {
    return this.#info.name
  }

  get rest(): string {
    return this.textOf(this.#restStart, this.#restEnd)
  }

  get original(): string {
    return this.#joined === undefined ? this.textOf(this.#start, this.#end) : this.#joined.text
  }

  get flags(): readonly Flag[] {
    if (this.#flagSpans.length === 0) return noFlags
    return this.#flagSpans.map((span) => new ScannedFlag(this, span))
  }

  get words(): readonly Word[] {
    if (this.#words === undefined) {
      const spans = this.#wordSpans ?? wholeText(this.#text, this.#restStart, this.#restEnd)
      this.#words = spans.map((span) => new ScannedWord(this, span))
    }
    return this.#words
  }

  get heredocs(): readonly Heredoc[] {
    return this.#heredocs
  }

  /** Set by the scanner once it has read them. */
  set heredocs(heredocs: readonly Heredoc[]) {
    this.#heredocs = heredocs
  }

  get keywordRange(): Range {
    return this.rangeOf(this.#keywordStart, this.#keywordEnd)
  }

  get range(): Range {
    return this.#source.range(this.#start, this.#heredocs.at(-1)?.range.end.offset ?? this.#end)
  }

  /** Part of the text. */
  textOf(start: number, end: number): string {
    return this.#text.slice(start, end)
  }

  /** Where [start, end) of the text stands in the file. */
  rangeOf(start: number, end: number): Range {
    const first = this.#toSource(start)
    return this.#source.range(first, end > start ? this.#toSource(end - 1) + 1 : first)
  }

  get #text(): string {
    return this.#joined === undefined ? this.#source.text : this.#joined.text
  }

  #split(escapeChar: Escape): Parts {
    try {
      return this.#joined === undefined
        ? splitInstruction(this.#source.text, this.#start, this.#end, escapeChar)
        : splitInstruction(this.#joined.text, 0, this.#joined.text.length, escapeChar)
    } catch (error) {
      if (!(error instanceof BuildError)) throw error
      const at: Location = { file: this.#source, range: this.#source.range(this.#start, this.#end) }
      throw error.with({ at })
    }
  }

  #toSource(offset: number): number {
    if (this.#joined === undefined) return offset
    const { pieces, text } = this.#joined
    let low = 0
    let high = pieces.length / 2 - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (pieces[2 * middle]! <= offset) low = middle
      else high = middle - 1
    }
    return pieces[2 * low + 1]! + Math.min(offset, text.length) - pieces[2 * low]!
  }
}

class ScannedWord implements Word {
  readonly #instruction: ScannedInstruction
  readonly #span: Span

  constructor(instruction: ScannedInstruction, span: Span) {
    this.#instruction = instruction
    this.#span = span
  }

  get text(): string {
    return this.#span.text
  }

  get range(): Range {
    return this.#instruction.rangeOf(this.#span.start, this.#span.end)
  }
}

class ScannedFlag implements Flag {
  readonly #instruction: ScannedInstruction
  readonly #span: FlagSpan

  constructor(instruction: ScannedInstruction, span: FlagSpan) {
    this.#instruction = instruction
    this.#span = span
  }

  get name(): string {
    return this.#span.name
  }

  get value(): string | undefined {
    return this.#span.value
  }

  get raw(): string {
    return this.#instruction.textOf(this.#span.start, this.#span.end)
  }

  get range(): Range {
    return this.#instruction.rangeOf(this.#span.start, this.#span.end)
  }
}
