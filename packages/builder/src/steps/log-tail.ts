/** The last lines a process printed, in bounded memory: for error messages. */
const MAX_LINES = 20
const MAX_LINE = 2000

export class LogTail {
  readonly #lines: string[] = []
  #partial = ''

  add(data: Buffer): void {
    // Only the end of a big chunk can matter.
    const parts = data
      .subarray(-MAX_LINES * MAX_LINE)
      .toString('utf8')
      .split(/\r?\n/)
    parts[0] = this.#partial + parts[0]
    this.#partial = parts.pop()!.slice(-MAX_LINE)
    this.#lines.push(...parts.slice(-MAX_LINES).map((line) => line.slice(0, MAX_LINE)))
    this.#lines.splice(0, this.#lines.length - MAX_LINES)
  }

  lines(): string[] {
    return this.#partial === '' ? [...this.#lines] : [...this.#lines, this.#partial].slice(-MAX_LINES)
  }
}
