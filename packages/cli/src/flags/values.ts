/** Values with a unit: sizes, times, counts. */
import { UsageError } from '../usage-error.ts'

const SIZE = /^(\d{1,16}(?:\.\d{1,9})?)\s*([kmgtp]?)(?:i?b)?$/i
const SIZE_POWERS: Readonly<Record<string, number>> = { '': 0, k: 1, m: 2, g: 3, t: 4, p: 5 }

/** Bytes from `134217728`, `80m`, `1.5g`, `64KiB`: all units are powers of 1024, as docker takes them. */
export function parseSize(text: string, flag: string): number {
  const match = SIZE.exec(text.trim())
  const bytes = match ? Math.floor(Number(match[1]) * 1024 ** SIZE_POWERS[match[2]!.toLowerCase()]!) : Number.NaN
  if (Number.isSafeInteger(bytes)) return bytes
  throw new UsageError(`invalid size for --${flag}: ${JSON.stringify(text)}`, 'write bytes, or a number with k, m or g')
}

const DURATION_PART = /(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|h)/y
const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds, at least `min`, from `90s`, `1m30s`, `500ms`; a bare number is seconds. */
export function parseDuration(text: string, flag: string, min = 0): number {
  const bad = () =>
    new UsageError(`invalid duration for --${flag}: ${JSON.stringify(text)}`, 'write it as 90s, 5m or 1h30m')
  if (/^\d{1,9}(\.\d{1,3})?$/.test(text)) {
    const time = Math.round(Number(text) * 1000)
    if (time < min) throw bad()
    return time
  }
  let total = 0
  DURATION_PART.lastIndex = 0
  while (DURATION_PART.lastIndex < text.length) {
    const match = DURATION_PART.exec(text)
    if (!match) throw bad()
    total += Number(match[1]) * DURATION_UNITS[match[2]!]!
  }
  if (text === '' || total <= 0) throw bad()
  return Math.round(total)
}

/** A whole number not below `min`. */
export function parseInteger(text: string, flag: string, min = 0): number {
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min) return value
  throw new UsageError(
    `invalid argument ${JSON.stringify(text)} for --${flag}: it must be a whole number from ${min} up`,
  )
}
