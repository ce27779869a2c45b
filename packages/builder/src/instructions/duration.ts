/** Durations as Go's time.ParseDuration reads them: `1h15m30.5s`. */
import { quote } from '../util/go-text.ts'
import { instructionErrors } from './errors.ts'

const units = new Map([
  ['ns', 1n],
  ['us', 1000n],
  ['µs', 1000n],
  ['μs', 1000n],
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
])
const largest = 2n ** 63n - 1n

/**
 * Nanoseconds of a duration.
 *
 * @throws DURATION_INVALID
 */
export function parseDuration(text: string): number {
  const negative = text.startsWith('-')
  const digits = text.replace(/^[-+]/, '')
  if (digits === '0') return 0
  if (digits === '') throw invalid(text)
  let total = 0n
  const part = /([0-9]*)(\.[0-9]*)?([^0-9.]*)/y
  while (part.lastIndex < digits.length) {
    const [, whole = '', fraction = '', unit = ''] = part.exec(digits)!
    if (whole === '' && fraction.length < 2) throw invalid(text)
    if (unit === '') throw instructionErrors.duration([`time: missing unit in duration ${quote(text)}`])
    const scale = units.get(unit)
    if (scale === undefined) {
      throw instructionErrors.duration([`time: unknown unit ${quote(unit)} in duration ${quote(text)}`])
    }
    if (whole.length > 20) throw invalid(text)
    const decimals = fraction.slice(1, 20)
    total += BigInt(whole || '0') * scale + (BigInt(decimals || '0') * scale) / 10n ** BigInt(decimals.length)
    if (total > largest) throw invalid(text)
  }
  return Number(negative ? -total : total)
}

function invalid(text: string): Error {
  return instructionErrors.duration([`time: invalid duration ${quote(text)}`])
}
