import { expect, it } from 'vitest'
import { isSpace, quote, trimSpace } from './go-text.ts'

it.each([
  ['plain', '"plain"'],
  ['a"b\\c', '"a\\"b\\\\c"'],
  ['\n\t\u0000\u007f', '"\\n\\t\\x00\\x7f"'],
  ['é 漢 😀', '"é 漢 😀"'],
  ['\u00a0\u200b\ufeff', '"\\u00a0\\u200b\\ufeff"'],
])('quotes %j as Go does', (text, expected) => {
  expect(quote(text)).toBe(expected)
})

it('knows the blanks of Go', () => {
  expect(Array.from('\t\n\v\f\r \u0085\u00a0\u2003\u3000').every((char) => isSpace(char.charCodeAt(0)))).toBe(true)
  expect(Array.from('a_\u200b\ufeff').some((char) => isSpace(char.charCodeAt(0)))).toBe(false)
  expect(trimSpace('\u0085 \ufeffa \u00a0')).toBe('\ufeffa')
})
