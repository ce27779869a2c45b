/**
 * Text rules of Go's standard library that the reference's grammar is built on: which characters are blank, how a
 * string is quoted in messages. JavaScript's `trim` and `JSON.stringify` differ from them in corners.
 */

/** `unicode.IsSpace`: unlike JavaScript's `\s` it has U+0085 and lacks U+FEFF. */
export function isSpace(code: number): boolean {
  if (code <= 0x20) return code === 0x20 || (code >= 0x09 && code <= 0x0d)
  if (code < 0x85) return false
  return (
    code === 0x85 ||
    code === 0xa0 ||
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000
  )
}

/** The first offset of `text` in [start, end) that is not blank; `end` if there is none. */
export function skipSpace(text: string, start: number, end = text.length): number {
  let at = start
  while (at < end && isSpace(text.charCodeAt(at))) at++
  return at
}

/** The end of `text` in [start, end) without the blanks it ends with; `start` if it is all blank. */
export function trimEnd(text: string, start: number, end: number): number {
  let at = end
  while (at > start && isSpace(text.charCodeAt(at - 1))) at--
  return at
}

/** `strings.TrimSpace`. */
export function trimSpace(text: string): string {
  const start = skipSpace(text, 0)
  const end = trimEnd(text, start, text.length)
  return start === 0 && end === text.length ? text : text.slice(start, end)
}

const escapes = new Map([
  [0x07, '\\a'],
  [0x08, '\\b'],
  [0x0c, '\\f'],
  [0x0a, '\\n'],
  [0x0d, '\\r'],
  [0x09, '\\t'],
  [0x0b, '\\v'],
  [0x5c, '\\\\'],
  [0x22, '\\"'],
])

/** `strconv.Quote` (`%q`): double quotes, escapes for quotes, backslashes and what cannot be printed. */
export function quote(text: string): string {
  let out = '"'
  for (const char of text) {
    const code = char.codePointAt(0)!
    const known = escapes.get(code)
    if (known !== undefined) out += known
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, '0')}`
    else if (code !== 0x20 && /[\p{C}\p{Z}]/u.test(char)) {
      out += code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
    } else out += char
  }
  return `${out}"`
}
