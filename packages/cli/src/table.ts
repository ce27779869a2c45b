/** Tables on stdout: columns separated by at least three blanks, the first row in capitals. */
import { escapeControls } from './progress/escape.ts'
import { textWidth } from './progress/width.ts'

/** @returns '' without rows, so that scripts see nothing where there is nothing */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const cells = [head, ...rows.map((row) => row.map(escapeControls))]
  const widths = head.map((_, column) => Math.max(...cells.map((row) => textWidth(row[column] ?? ''))))
  return cells.map((row) => `${padRow(row, widths)}\n`).join('')
}

function padRow(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, i) => cell + ' '.repeat(widths[i]! - textWidth(cell) + 3))
    .join('')
    .trimEnd()
}

/** How long ago a time (ms since the epoch) was: `5 minutes ago`. */
export function formatAge(time: number, now: number): string {
  const seconds = Math.max(0, Math.floor((now - time) / 1000))
  const steps: readonly (readonly [number, string])[] = [
    [365 * 86_400, 'year'],
    [30 * 86_400, 'month'],
    [86_400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
    [1, 'second'],
  ]
  for (const [length, unit] of steps) {
    const count = Math.floor(seconds / length)
    if (count > 0) return `${count} ${unit}${count === 1 ? '' : 's'} ago`
  }
  return 'just now'
}

/** A digest as tables show it: its first twelve characters. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha\d+:/, '').slice(0, 12)
}
