/** Numbers for people. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

/** Bytes in decimal units: `0B`, `412B`, `1.50kB`, `23.1MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2
  return `${value.toFixed(digits)}${UNITS[unit]}`
}

/** Milliseconds as seconds with one digit: `0.3s`. */
export function formatSeconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)}s`
}

/** How far something is: `1.20MB / 3.00MB`, `17 / 20 files`, or only what is done while the total is unknown. */
export function formatProgress(current: number, total: number, unit: 'files' | undefined): string {
  const show = unit ? String : formatBytes
  const text = total > 0 ? `${show(current)} / ${show(total)}` : show(current)
  return unit ? `${text} ${unit}` : text
}
