/** Tables of the text form of calls, with columns as wide as their longest cell. */

/** @param gap blanks between columns */
export function columns(rows: readonly (readonly string[])[], gap: number): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length + gap)
  }
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('')
      .trimEnd()
  return rows.map((row) => `${line(row)}\n`).join('')
}
