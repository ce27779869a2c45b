/**
 * Places in source text: what every error and warning points at.
 *
 * Lines are 1-based, as editors and BuildKit print them; columns are 0-based UTF-16 code units within the line;
 * offsets are 0-based UTF-16 code units within the whole text.
 */
import { redactUrls } from './redact.ts'

export interface Position {
  readonly line: number
  readonly column: number
  readonly offset: number
}

/** A half-open span of text: `end` is the first position that no longer belongs to it. */
export interface Range {
  readonly start: Position
  readonly end: Position
}

/** A named text, such as a Dockerfile, with a table of its line starts. Immutable. */
export class SourceFile {
  readonly name: string
  readonly text: string
  #starts: number[] | undefined

  constructor(name: string, text: string) {
    this.name = name
    this.text = text
  }

  /** Made when the first place is asked for: most files are read without. */
  get #lineStarts(): number[] {
    if (this.#starts === undefined) {
      this.#starts = [0]
      const { text } = this
      for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) this.#starts.push(i + 1)
    }
    return this.#starts
  }

  /** Number of lines; a trailing newline does not start another one. */
  get lineCount(): number {
    const n = this.#lineStarts.length
    return this.text.endsWith('\n') ? n - 1 : n
  }

  /** Text of a 1-based line without its line ending; '' when there is no such line. */
  line(line: number): string {
    const start = this.#lineStarts[line - 1]
    if (start === undefined) return ''
    const end = this.#lineStarts[line] ?? this.text.length + 1
    return this.text.slice(start, end - 1).replace(/\r$/, '')
  }

  /** The position of an offset; offsets outside the text are clamped to it. */
  position(offset: number): Position {
    const at = Math.max(0, Math.min(offset, this.text.length))
    let low = 0
    let high = this.#lineStarts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#lineStarts[middle]! <= at) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: at - this.#lineStarts[low]!, offset: at }
  }

  /** The range between two offsets. */
  range(start: number, end: number): Range {
    return { start: this.position(start), end: this.position(end) }
  }

  /** The range of whole lines `first` to `last` (1-based, inclusive). */
  lines(first: number, last: number): Range {
    const start = this.#lineStarts[first - 1] ?? this.text.length
    const end = this.#lineStarts[last] ?? this.text.length
    return this.range(start, Math.max(start, end))
  }
}

/** A range in a file: where an error or warning was caused. */
export interface Location {
  readonly file: SourceFile
  readonly range: Range
}

/** Lines of an excerpt at most, from its begin and its end. */
const shownLines = 60

/** First and last line (1-based) that a range touches; a range that ends at the beginning of a line excludes it. */
export function lineSpan({ start, end }: Range): { readonly first: number; readonly last: number } {
  return { first: start.line, last: end.column === 0 && end.line > start.line ? end.line - 1 : end.line }
}

/**
 * The lines around a location as the reference builder prints them, the lines of the range marked with `>>>`; URLs
 * without their passwords.
 *
 * @param context how many lines to show before and after the range
 * @param also further ranges of the file that are shown and marked
 */
export function excerpt(at: Location, context = 2, also: readonly Range[] = []): string {
  const { file } = at
  const spans = [at.range, ...also].map(lineSpan)
  const first = Math.min(...spans.map((span) => span.first))
  const from = Math.max(1, first - context)
  const to = Math.min(Math.max(file.lineCount, 1), Math.max(...spans.map((span) => span.last)) + context)
  const rows = [`${file.name}:${first}`, '--------------------']
  for (let n = from; n <= to; n++) {
    const omitted = n - from === shownLines / 2 ? to - from + 1 - shownLines : 0
    if (omitted > 0) {
      rows.push(`     [${omitted} more lines]`)
      n += omitted
    }
    const mark = spans.some((span) => n >= span.first && n <= span.last) ? '>>>' : '   '
    rows.push(`${String(n).padStart(4)} | ${mark} ${redactUrls(file.line(n).slice(0, 400))}`.trimEnd())
  }
  rows.push('--------------------')
  return rows.join('\n')
}
