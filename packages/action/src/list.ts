/** Lists in inputs: one item per line, in CSV, as docker's actions read them. */
import { UsageError } from '../../cli/src/embed.ts'

export interface ListOptions {
  /** What stands between commas is an item of its own. */
  readonly commas: boolean
  /** Quotes stay as they are, for whoever reads the item as CSV again. */
  readonly raw?: boolean
}

/**
 * The items of an input. A field that begins with `"` runs to the closing one, over line ends, too; `""` in it stands for
 * one quote. Elsewhere quotes are characters like others.
 *
 * @throws UsageError for a quote that is not closed
 */
export function parseList(name: string, text: string, { commas, raw = false }: ListOptions): string[] {
  const lines = raw ? text.split(/\r?\n/).map((line) => [line]) : records(name, text)
  const items = commas ? lines.flat() : lines.map((fields) => fields.join(','))
  return items.map((item) => item.trim()).filter((item) => item !== '')
}

function records(name: string, text: string): string[][] {
  const lines: string[][] = []
  let at = 0
  while (at < text.length) {
    const fields: string[] = []
    for (;;) {
      const [field, end] = text[at] === '"' ? quoted(name, text, at) : plain(text, at)
      fields.push(field)
      at = end
      if (text[at] !== ',') break
      at++
    }
    lines.push(fields)
    at += text.startsWith('\r\n', at) ? 2 : 1
  }
  return lines
}

function plain(text: string, start: number): [field: string, end: number] {
  let end = start
  while (end < text.length && text[end] !== ',' && !isLineEnd(text, end)) end++
  return [text.slice(start, end), end]
}

function quoted(name: string, text: string, start: number): [field: string, end: number] {
  let value = ''
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] !== '"') value += text[at]
    else if (text[at + 1] === '"') value += text[at++]
    else if (at + 1 === text.length || text[at + 1] === ',' || isLineEnd(text, at + 1)) return [value, at + 1]
    // Words that happen to begin with a quoted one.
    else return plain(text, start)
  }
  throw new UsageError(`the input ${name} has a quote that is not closed`, 'write a quote within quotes as two: ""')
}

function isLineEnd(text: string, at: number): boolean {
  return text[at] === '\n' || text.startsWith('\r\n', at)
}
