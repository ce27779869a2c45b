/** `key=value,key=value` with CSV quotes, as docker's flags take it. */
import { UsageError } from '../usage-error.ts'

/**
 * The fields of one CSV line. A field that begins with `"` runs to the closing quote; `""` inside stands for one quote.
 *
 * @throws UsageError in the words of Go's CSV reader
 */
export function csvFields(text: string, flag: string): string[] {
  const fields: string[] = []
  let at = 0
  for (;;) {
    if (text[at] === '"') {
      const [value, end] = quotedField(text, at, flag)
      fields.push(value)
      at = end
    } else {
      const comma = text.indexOf(',', at)
      const value = comma < 0 ? text.slice(at) : text.slice(at, comma)
      if (value.includes('"')) throw new UsageError(`invalid value for --${flag}: bare " in non-quoted-field: ${value}`)
      fields.push(value)
      at = comma < 0 ? text.length : comma
    }
    if (at >= text.length) return fields
    at++
  }
}

function quotedField(text: string, start: number, flag: string): [value: string, end: number] {
  let value = ''
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] !== '"') value += text[at]
    else if (text[at + 1] === '"') value += text[at++]
    else if (at + 1 === text.length || text[at + 1] === ',') return [value, at + 1]
    else break
  }
  throw new UsageError(`invalid value for --${flag}: extraneous or missing " in quoted-field: ${text}`)
}

/** A field as it is written in a CSV line. */
export function csvField(value: string): string {
  return /[",]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}

/** Splits at the first `=`; undefined when there is none. */
export function keyValue(field: string): [key: string, value: string] | undefined {
  const equals = field.indexOf('=')
  return equals < 0 ? undefined : [field.slice(0, equals), field.slice(equals + 1)]
}
