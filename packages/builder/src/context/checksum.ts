/** Digests that downloads are checked against. */
import { contextErrors } from './errors.ts'

const LENGTHS: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
])

export interface Checksum {
  readonly algorithm: 'sha256' | 'sha384' | 'sha512'
  readonly hex: string
}

/**
 * Reads `sha256:…`.
 *
 * @throws BuildError CHECKSUM_INVALID
 */
export function parseChecksum(text: string): Checksum {
  const colon = text.indexOf(':')
  const [algorithm, hex] = [text.slice(0, Math.max(colon, 0)), text.slice(colon + 1)]
  if (colon <= 0 || hex === '') throw contextErrors.badChecksum([text, 'invalid checksum digest format'])
  const length = LENGTHS.get(algorithm)
  if (length === undefined) throw contextErrors.badChecksum([text, 'unsupported digest algorithm'])
  if (hex.length !== length) throw contextErrors.badChecksum([text, 'invalid checksum digest length'])
  if (!/^[0-9a-f]+$/.test(hex)) throw contextErrors.badChecksum([text, 'invalid checksum digest format'])
  return { algorithm: algorithm as Checksum['algorithm'], hex }
}
