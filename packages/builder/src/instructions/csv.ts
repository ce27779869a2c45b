/** One line of comma separated values, as Go's encoding/csv reads it. */

/** Why the text is no CSV line, in Go's words. */
export class CsvProblem extends Error {}

/**
 * Splits a line into fields; a field in double quotes may hold commas, and `""` for a quote.
 *
 * @throws CsvProblem
 */
export function splitCsv(text: string): string[] {
  if (text === '') throw new CsvProblem('EOF')
  const fields: string[] = []
  for (let at = 0; at <= text.length; at++) {
    if (text[at] === '"') {
      let field = ''
      let end = at + 1
      for (;;) {
        const close = text.indexOf('"', end)
        if (close < 0) throw problem(text.length, 'extraneous or missing " in quoted-field')
        field += text.slice(end, close)
        end = close + 1
        if (text[end] !== '"') break
        field += '"'
        end++
      }
      if (end < text.length && text[end] !== ',') throw problem(end - 1, 'extraneous or missing " in quoted-field')
      fields.push(field)
      at = end
    } else {
      const comma = text.indexOf(',', at)
      const end = comma < 0 ? text.length : comma
      const field = text.slice(at, end)
      const bare = field.indexOf('"')
      if (bare >= 0) throw problem(at + bare, 'bare " in non-quoted-field')
      fields.push(field)
      at = end
    }
  }
  return fields
}

function problem(offset: number, text: string): CsvProblem {
  return new CsvProblem(`parse error on line 1, column ${offset + 1}: ${text}`)
}
