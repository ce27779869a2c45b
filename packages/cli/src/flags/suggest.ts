/** "Did you mean": the closest of a few known names. */

/** The edit distance between two words, a swap of two neighbours counting as one edit; of words whose lengths differ by more than `limit` only `limit + 1`. */
export function distance(a: string, b: string, limit = 3): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1)
      row.push(cost)
    }
    before = previous
    previous = row
  }
  return previous[b.length]!
}

/** The known name closest to `word`, if any is close enough to be what was meant. */
export function suggest(word: string, known: Iterable<string>): string | undefined {
  const lower = word.toLowerCase().slice(0, 64)
  if (lower === '') return undefined
  const limit = Math.min(3, Math.max(1, Math.floor(lower.length / 3)))
  let best: string | undefined
  let bestScore = limit + 1
  for (const name of known) {
    // The begin of a long name, or a name with something added, is as good as one and a half mistakes.
    const isPart = lower.length >= 3 && (name.startsWith(lower) || (name.length >= 3 && lower.startsWith(name)))
    const score = Math.min(distance(lower, name.toLowerCase(), limit), isPart ? 1.5 : Number.POSITIVE_INFINITY)
    if (score < bestScore) {
      best = name
      bestScore = score
    }
  }
  return best
}
