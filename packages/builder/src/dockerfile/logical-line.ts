/**
 * One instruction's text after continuation lines are joined, with the way back to where each character was written.
 */
import type { Range, SourceFile } from '../source.ts'

/** Text of the logical line that was written in one piece. */
interface Piece {
  /** Offset in the logical text. */
  readonly at: number
  /** Offset in the file. */
  readonly source: number
}

/** A logical line: immutable once the scanner has filled it. */
export class LogicalLine {
  readonly source: SourceFile
  readonly text: string
  readonly #pieces: readonly Piece[]

  constructor(source: SourceFile, text: string, pieces: readonly Piece[]) {
    this.source = source
    this.text = text
    this.#pieces = pieces
  }

  /** Where the character at `offset` of the logical text stands in the file; clamped to the text. */
  toSource(offset: number): number {
    let low = 0
    let high = this.#pieces.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#pieces[middle]!.at <= offset) low = middle
      else high = middle - 1
    }
    const piece = this.#pieces[low]!
    return piece.source + Math.max(0, Math.min(offset, this.text.length) - piece.at)
  }

  /** The range in the file of [start, end) of the logical text. */
  range(start: number, end: number): Range {
    const first = this.toSource(start)
    return this.source.range(first, end > start ? this.toSource(end - 1) + 1 : first)
  }
}
