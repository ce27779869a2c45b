import { describe, expect, it } from 'vitest'
import { escapeControls, keepColours, plainText } from './escape.ts'
import { fit, textWidth } from './width.ts'

describe('control bytes', () => {
  it.each<[string, string, string, string]>([
    ['plain text', 'a\tb €', 'a\tb €', 'a  b €'],
    ['a colour', '\x1b[1;31mred\x1b[m', '\x1b[1;31mred\x1b[m\x1b[0m', 'red'],
    ['cursor up', 'a\x1b[2Ab', 'ab', 'ab'],
    ['a title', 'a\x1b]0;evil\x07b', 'ab', 'ab'],
    ['a title with ST', 'a\x1b]0;evil\x1b\\b', 'ab', 'ab'],
    ['an unfinished string', 'a\x1b]52;c;ZXZpbA==', 'a', 'a'],
    ['a charset', 'a\x1b(Bb', 'ab', 'ab'],
    ['a lone escape', 'a\x1b', 'a\\x1b', 'a\\x1b'],
    ['backspace, CR and bell', 'a\b\r\x07', 'a\\x08\\x0d\\x07', 'a\\x08\\x0d\\x07'],
    ['C1', 'a\x9b2Jb', 'a\\x9b2Jb', 'a\\x9b2Jb'],
    ['reordering', 'a\u202eb', 'a\\u202eb', 'a\\u202eb'],
  ])('%s', (_name, input, coloured, plain) => {
    expect(keepColours(input)).toBe(coloured)
    expect(plainText(input)).toBe(plain)
  })

  it('are written as their numbers where no terminal is', () => {
    expect(escapeControls('\x1b[31m\r#99 DONE\x7f')).toBe('\\x1b[31m\\x0d#99 DONE\\x7f')
  })

  it('cost linear time', () => {
    const started = performance.now()
    keepColours('\x1b]'.repeat(200_000))
    keepColours(`\x1b[${';'.repeat(200_000)}`)
    expect(performance.now() - started).toBeLessThan(2000)
  })
})

describe('width', () => {
  it.each<[string, number]>([
    ['abc', 3],
    ['äöü', 3],
    ['e\u0301', 1],
    ['日本', 4],
    ['🚀', 2],
  ])('of %s is %i', (text, width) => expect(textWidth(text)).toBe(width))

  it('cuts at whole characters', () => {
    expect(fit('abcdef', 6)).toBe('abcdef')
    expect(fit('abcdef', 4)).toBe('abc…')
    expect(fit('日本語', 4)).toBe('日…')
    expect(fit('abc', 0)).toBe('')
  })
})
