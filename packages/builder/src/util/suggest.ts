/** "Did you mean …?": the known name that is closest to a mistyped one. */

/** Names at this distance or farther are not suggested; the reference's bound. */
const bound = 3
/** Longer words are no mistyped names; the bound keeps the work small. */
const longest = 200

/**
 * The option with the smallest edit distance to `word`, if it is below 3; undefined also when `word` is itself one.
 * The first of several equally close options wins.
 *
 * @param ignoreCase compares without case and returns the option in the case of `word` (all lower or all upper)
 */
export function suggest(word: string, options: Iterable<string>, ignoreCase = false): string | undefined {
  if (word.length > longest) return undefined
  const wanted = ignoreCase ? word.toLowerCase() : word
  let best: string | undefined
  let least = bound
  for (const option of options) {
    const candidate = ignoreCase ? option.toLowerCase() : option
    if (candidate === wanted) return undefined
    const distance = editDistance(wanted, candidate, least)
    if (distance < least) {
      least = distance
      best = ignoreCase ? matchCase(candidate, word) : option
    }
  }
  return best
}

/** ` (did you mean x?)`, or nothing. */
export function didYouMean(word: string, options: Iterable<string>, ignoreCase = false): string {
  const found = suggest(word, options, ignoreCase)
  return found === undefined ? '' : ` (did you mean ${found}?)`
}

function matchCase(text: string, like: string): string {
  return like === like.toUpperCase() && like !== like.toLowerCase() ? text.toUpperCase() : text
}

/** Levenshtein distance; `limit` or more is returned as `limit`. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    let least = i
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      const value = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + cost)
      next[j] = value
      if (value < least) least = value
    }
    if (least >= limit) return limit
    row = next
  }
  return Math.min(row[b.length]!, limit)
}
