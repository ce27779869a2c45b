/**
 * The patterns of `${v#p}`, `${v%p}` and `${v/p/r}`: `*`, `?` and `\` escapes, no bracket expressions. As in the
 * reference, where they become regular expressions, neither `*` nor `?` matches a newline.
 *
 * No backtracking over stars: a piece between two stars is taken where it first fits, the last one where the wanted
 * length says, which decides a match as well as trying all splits would. A budget bounds what work is left.
 */

/** Matches one character other than a newline. */
const anyChar = -1
const newline = 0x0a

/** Comparisons that are left for one text, however many patterns it has; some tenths of a second of work at first. */
export class PatternBudget {
  #left = 50_000_000

  /** @throws PatternProblem when there is nothing left */
  spend(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new PatternProblem('matching it takes too long')
  }
}

/** Code points between two stars. */
type Piece = readonly number[]

/** A pattern: its pieces, with a star between each two of them. */
export interface ShellPattern {
  readonly pieces: readonly Piece[]
}

/** What is wrong with a pattern or with matching it; the expander makes an error of it. */
export class PatternProblem extends Error {}

/**
 * Reads a pattern.
 *
 * @throws PatternProblem for a backslash before a character that needs none
 */
export function parseShellPattern(pattern: string): ShellPattern {
  const pieces: number[][] = [[]]
  const chars = Array.from(pattern)
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!
    if (char === '*') pieces.push([])
    else if (char === '?') pieces.at(-1)!.push(anyChar)
    else if (char === '\\') {
      const next = chars[++i]
      if (next === undefined || !'*?\\}/'.includes(next)) {
        throw new PatternProblem(`invalid escape '\\${next ?? ''}'`)
      }
      pieces.at(-1)!.push(next.codePointAt(0)!)
    } else pieces.at(-1)!.push(char.codePointAt(0)!)
  }
  return { pieces }
}

/** Removes the shortest (or longest) prefix that matches; the value as it is if none does. */
export function trimPrefix(value: string, pattern: ShellPattern, longest: boolean, budget: PatternBudget): string {
  const chars = codePoints(value)
  const end = new Search(chars, pattern.pieces, budget).endFrom(0, longest)
  return end < 0 ? value : fromCodePoints(chars, end, chars.length)
}

/** Removes the shortest (or longest) suffix that matches: a prefix of everything reversed. */
export function trimSuffix(value: string, pattern: ShellPattern, longest: boolean, budget: PatternBudget): string {
  const chars = codePoints(value).reverse()
  const pieces = pattern.pieces.map((piece) => piece.toReversed()).reverse()
  const end = new Search(chars, pieces, budget).endFrom(0, longest)
  return end < 0 ? value : fromCodePoints(chars.reverse(), 0, chars.length - end)
}

/**
 * Replaces the first match or all of them; matches are the longest at the leftmost place.
 *
 * @param limit bound on the length of the result
 * @throws PatternProblem if the result is longer than `limit`
 */
export function replacePattern(
  value: string,
  pattern: ShellPattern,
  replacement: string,
  all: boolean,
  limit: number,
  budget: PatternBudget,
): string {
  const chars = codePoints(value)
  const search = new Search(chars, pattern.pieces, budget)
  let out = ''
  let copied = 0
  let from = 0
  let lastEnd = -1
  while (from <= chars.length) {
    const match = search.next(from)
    if (match === undefined) break
    // An empty match right behind another match does not count, as in Go's ReplaceAll.
    if (match.end > match.start || match.start !== lastEnd) {
      out += fromCodePoints(chars, copied, match.start) + replacement
      if (out.length > limit) throw new PatternProblem('the replaced text is too large')
      copied = match.end
      lastEnd = match.end
      if (!all) break
    }
    from = match.end > match.start ? match.end : match.end + 1
  }
  return out + fromCodePoints(chars, copied, chars.length)
}

/** Finds one pattern in one text. */
class Search {
  readonly #chars: readonly number[]
  readonly #pieces: readonly Piece[]
  readonly #budget: PatternBudget

  constructor(chars: readonly number[], pieces: readonly Piece[], budget: PatternBudget) {
    this.#chars = chars
    this.#pieces = pieces
    this.#budget = budget
  }

  /** The leftmost match at or behind `from`, as long as possible there. */
  next(from: number): { start: number; end: number } | undefined {
    const first = this.#pieces[0]!
    for (let start = from; start <= this.#chars.length; start++) {
      start = this.#find(first, start, this.#chars.length)
      if (start < 0) return undefined
      const end = this.endFrom(start, true)
      if (end >= 0) return { start, end }
    }
    return undefined
  }

  /** The end of the match that begins at `start`, the shortest or the longest one; -1 if there is none. */
  endFrom(start: number, longest: boolean): number {
    const pieces = this.#pieces
    if (!this.#fits(pieces[0]!, start)) return -1
    let at = start + pieces[0]!.length
    let reach = -1
    for (let i = 1; i < pieces.length; i++) {
      if (reach < at) reach = this.#lineEnd(at)
      const piece = pieces[i]!
      const last = i === pieces.length - 1
      const found = last && longest ? this.#findLast(piece, at, reach) : this.#find(piece, at, reach)
      if (found < 0) return -1
      at = found + piece.length
    }
    return at
  }

  /** Where the line of `at` ends: a star cannot reach beyond. */
  #lineEnd(at: number): number {
    const end = this.#chars.indexOf(newline, at)
    return end < 0 ? this.#chars.length : end
  }

  #find(piece: Piece, from: number, to: number): number {
    for (let at = from; at <= to; at++) if (this.#fits(piece, at)) return at
    return -1
  }

  #findLast(piece: Piece, from: number, to: number): number {
    for (let at = Math.min(to, this.#chars.length - piece.length); at >= from; at--)
      if (this.#fits(piece, at)) return at
    return -1
  }

  #fits(piece: Piece, at: number): boolean {
    if (at + piece.length > this.#chars.length) return false
    for (let i = 0; i < piece.length; i++) {
      const char = this.#chars[at + i]
      if (char === piece[i] || (piece[i] === anyChar && char !== newline)) continue
      this.#budget.spend(i + 1)
      return false
    }
    this.#budget.spend(piece.length + 1)
    return true
  }
}

function codePoints(text: string): number[] {
  const out: number[] = []
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i)!
    if (code > 0xffff) i++
    out.push(code)
  }
  return out
}

function fromCodePoints(chars: readonly number[], start: number, end: number): string {
  let out = ''
  for (let at = start; at < end; at += 8192) out += String.fromCodePoint(...chars.slice(at, Math.min(end, at + 8192)))
  return out
}
