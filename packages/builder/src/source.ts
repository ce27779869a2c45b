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

/**
 * The lines around a location as the reference builder prints them, the lines of the range marked with `>>>`; URLs
 * without their passwords.
 *
 * @param context how many lines to show before and after the range
 */
export function excerpt(at: Location, context = 2): string {
  const { file, range } = at
  const lastLine = range.end.column === 0 && range.end.line > range.start.line ? range.end.line - 1 : range.end.line
  const from = Math.max(1, range.start.line - context)
  const to = Math.min(Math.max(file.lineCount, 1), lastLine + context)
  const rows = [`${file.name}:${range.start.line}`, '--------------------']
  for (let n = from; n <= to; n++) {
    const omitted = n - from === shownLines / 2 ? to - from + 1 - shownLines : 0
    if (omitted > 0) {
      rows.push(`     [${omitted} more lines]`)
      n += omitted
    }
    const mark = n >= range.start.line && n <= lastLine ? '>>>' : '   '
    rows.push(`${String(n).padStart(4)} | ${mark} ${redactUrls(file.line(n).slice(0, 400))}`.trimEnd())
  }
  rows.push('--------------------')
  return rows.join('\n')
}
