/** Durations as Go prints them: history entries of images hold them. Leaf module. */

/** Like `time.Duration.String()`, from nanoseconds: `1m30s`, `500ms`, `0s`. */
export function goDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s'
  const sign = nanoseconds < 0 ? '-' : ''
  const ns = Math.abs(nanoseconds)
  const units: [number, string][] = [
    [1e6, 'ms'],
    [1e3, 'µs'],
    [1, 'ns'],
  ]
  if (ns < 1e9) {
    const [size, unit] = units.find(([s]) => ns >= s)!
    return `${sign}${trimZeros(ns / size)}${unit}`
  }
  const hours = Math.floor(ns / 3.6e12)
  const minutes = Math.floor(ns / 6e10) % 60
  const seconds = trimZeros((ns % 6e10) / 1e9)
  const larger = hours ? `${hours}h${minutes}m` : minutes ? `${minutes}m` : ''
  return `${sign}${larger}${seconds}s`
}

function trimZeros(value: number): string {
  return value.toFixed(9).replace(/\.?0+$/, '')
}
