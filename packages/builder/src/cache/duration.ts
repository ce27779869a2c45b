/** Durations in attributes of caches, as Go writes them. */
const PART = /(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|h)/y
const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

/** Milliseconds of `24h`, `1h30m`, `500ms`, `0`; undefined: it is none. */
export function parseMilliseconds(text: string): number | undefined {
  if (text === '0') return 0
  let total = 0
  for (PART.lastIndex = 0; PART.lastIndex < text.length; ) {
    const match = PART.exec(text)
    if (match === null) return undefined
    total += Number(match[1]) * UNITS[match[2] as keyof typeof UNITS]
  }
  return text === '' ? undefined : Math.round(total)
}
