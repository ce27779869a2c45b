/** Numbers in tar headers and pax records, each checked against what a file can have. */
import { layerErrors } from './errors.ts'

/** (uid_t)-1 means «no user» to the kernel and is not a valid owner. */
const MAX_ID = 2 ** 32 - 2

const invalid = (what: string) => layerErrors.tarInvalid([`bad ${what}`])

/**
 * A number field: octal digits with blanks or NULs around them, or base 256 (first bit set; GNU and star).
 *
 * @param what names the field in errors
 * @returns any integer that fits into a double exactly
 */
export function headerNumber(field: Buffer, what: string): number {
  const first = field[0]!
  if ((first & 0x80) !== 0) return base256(field, what)
  const text = field
    .toString('latin1')
    .replace(/^[ \0]+/, '')
    .replace(/[ \0]+$/, '')
  if (text === '') return 0
  if (!/^[0-7]+$/.test(text)) throw invalid(what)
  return Number.parseInt(text, 8)
}

function base256(field: Buffer, what: string): number {
  let value = 0n
  for (const byte of field) value = (value << 8n) | BigInt(byte)
  // The first bit only says that this is base 256, the second one is the sign.
  const bits = BigInt(field.length * 8 - 1)
  value = BigInt.asIntN(Number(bits), value)
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) throw invalid(what)
  return Number(value)
}

/** A user or group id. */
export function checkId(value: number, what: string): number {
  if (value < 0 || value > MAX_ID) throw invalid(`${what} ${value}`)
  return value
}

/** A size in bytes. */
export function checkSize(value: number): number {
  if (value < 0 || !Number.isSafeInteger(value)) throw invalid(`size ${value}`)
  return value
}

/** A decimal integer of a pax record. */
export function paxInteger(text: string, what: string): number {
  if (!/^\d{1,19}$/.test(text)) throw invalid(`${what} in a pax record`)
  return Number(text)
}

/** Seconds of a pax record, with an optional fraction. */
export function paxTime(text: string): number {
  if (!/^-?\d{1,15}(\.\d*)?$/.test(text)) throw invalid('mtime in a pax record')
  return Number(text)
}
