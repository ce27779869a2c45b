/** Joining the lines that the escape character continues. */
import { skipSpace } from '../util/go-text.ts'

/** The lines of one instruction as one text. */
export interface JoinedLines {
  readonly text: string
  /** End of the last line, without its line ending. */
  readonly end: number
  /** Start of the line behind it. */
  readonly next: number
  /** Whether blank lines were left out. */
  readonly blank: boolean
}

/** What happens on the way; nothing by default. */
export interface JoinVisitor {
  /** Called with the start and the end of each line before it is looked at; may throw. */
  readonly line?: (start: number, end: number) => void
  /** Called for each piece that is joined: its offset in the joined text, and in the file. */
  readonly piece?: (at: number, source: number) => void
}

/** The end of a line that reaches to `newline`, without carriage returns. */
export function trimLineEnd(text: string, start: number, newline: number): number {
  let end = newline
  while (end > start && text.charCodeAt(end - 1) === 0x0d) end--
  return end
}

/**
 * Where a line's text ends if the escape character continues it on the next line; -1 if it does not. An escape
 * character that follows another one continues nothing, however many there are.
 */
export function continuationCut(text: string, start: number, end: number, escapeCode: number): number {
  let at = end - 1
  while (at >= start && (text.charCodeAt(at) === 0x20 || text.charCodeAt(at) === 0x09)) at--
  if (at < start || text.charCodeAt(at) !== escapeCode) return -1
  return at > start && text.charCodeAt(at - 1) === escapeCode ? -1 : at
}

/**
 * Joins an instruction's lines, without the comments and blank lines between them.
 *
 * @param start the first character of the instruction
 * @param firstCut where the text of its first line ends, before the escape character
 * @param next start of the second line
 */
export function joinLines(
  text: string,
  start: number,
  firstCut: number,
  next: number,
  escapeCode: number,
  visitor: JoinVisitor,
): JoinedLines {
  let joined = text.slice(start, firstCut)
  let blank = false
  let end = firstCut
  let at = next
  visitor.piece?.(0, start)
  for (let cut = firstCut; cut >= 0 && at < text.length; ) {
    const lineStart = at
    const found = text.indexOf('\n', at)
    const newline = found < 0 ? text.length : found
    visitor.line?.(lineStart, newline)
    at = found < 0 ? newline : newline + 1
    end = trimLineEnd(text, lineStart, newline)
    const first = skipSpace(text, lineStart, end)
    if (first === end) blank = true
    else if (text.charCodeAt(first) !== 0x23) {
      cut = continuationCut(text, lineStart, end, escapeCode)
      visitor.piece?.(joined.length, lineStart)
      joined += text.slice(lineStart, cut < 0 ? end : cut)
    }
  }
  return { text: joined, end, next: at, blank }
}
