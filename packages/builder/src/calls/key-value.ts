/** Values of ENV and LABEL in `key=value` form. */
import type { Escape } from '../dockerfile/words.ts'
import type { KeyValue } from '../instructions/nodes.ts'

/** Characters that need no quotes. */
const plain = /^[\w./:@%+,=^~*?!{}$-]+$/

/**
 * `ENV key some value` as `key="some value"`: the value comes out the same, variables included. undefined where that
 * cannot be said in one word, as with an open quote.
 */
export function keyValueText({ key, value }: KeyValue, escapeWith: Escape): string | undefined {
  if (/[\s"'=]/.test(key) || key.includes(escapeWith)) return undefined
  if (value === '') return `${key}=""`
  if (plain.test(value)) return `${key}=${value}`
  if (!/["'`\\]/.test(value)) return `${key}="${value}"`
  const joined = escapeBlanks(value, escapeWith)
  return joined === undefined ? undefined : `${key}=${joined}`
}

/** A text that is to come out of the value as it is: quotes, escapes and dollars are kept from their meaning. */
export function labelValue(text: string, escapeWith: Escape): string {
  return `"${text.replace(/["$\\`]/g, (char) => (char === '`' || char === '\\' ? (char === escapeWith ? char + char : char) : escapeWith + char))}"`
}

/** Puts the escape character before blanks outside quotes; the quotes themselves keep their meaning. */
function escapeBlanks(value: string, escapeWith: string): string | undefined {
  let out = ''
  let quote = ''
  for (let i = 0; i < value.length; i++) {
    const char = value[i]!
    if (char === escapeWith && quote !== "'") {
      out += char + (value[i + 1] ?? '')
      i++
      continue
    }
    if (char === '"' || char === "'") quote = quote === '' ? char : quote === char ? '' : quote
    out += quote === '' && /\s/.test(char) ? escapeWith + char : char
  }
  return quote === '' ? out : undefined
}
