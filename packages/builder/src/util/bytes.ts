/** Sizes in bytes with units of 1024, as docker's command line reads them: `64m`, `1.5GiB`. */

const units = 'kmgtpezy'

/** Bytes, rounded down; undefined if the text is no size. */
export function parseBytes(text: string): number | undefined {
  const match = /^([0-9]*\.?[0-9]*) ?(?:b|([kmgtpezy])(?:i?b)?)?$/i.exec(text)
  const digits = match?.[1]
  if (!match || digits === undefined || !/[0-9]/.test(digits)) return undefined
  const unit = match[2]
  const scale = unit === undefined ? 1 : 1024 ** (units.indexOf(unit.toLowerCase()) + 1)
  const size = Math.floor(Number(digits) * scale)
  return Number.isSafeInteger(size) ? size : undefined
}
