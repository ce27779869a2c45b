import { describe, expect, it } from 'vitest'
import { compileIgnore, IgnoreSyntaxError, parseIgnore } from './ignore.ts'

describe('parseIgnore', () => {
  it.each([
    ['*.log', ['a.log'], ['a/b.log', 'a.txt']],
    ['**/*.log\n!keep.log', ['a.log', 'a/b.log', 'a/keep.log'], ['keep.log', 'x']],
    ['dir', ['dir', 'dir/a', 'dir/a/b'], ['dirx', 'x/dir']],
    ['/dir/', ['dir', 'dir/a'], ['x/dir']],
    ['dir/\n!dir/keep', ['dir', 'dir/a'], ['dir/keep', 'dir/keep/below']],
    ['*\n!a/b', ['a', 'a/c', 'x'], ['a/b', 'a/b/c']],
    ['  spaced  \n#comment\n #not', ['spaced', '#not'], ['comment']],
    ['\uFEFFbom', ['bom'], []],
    ['./a/../b', ['b'], ['a']],
    ['! a\na', ['a'], []],
    ['**/a\n!**/b', ['a', 'x/a', 'a/c'], ['a/b', 'x/a/b']],
    ['x\r\ny\r\n', ['x', 'y'], ['z']],
    // A re-inclusion that found nothing to do at a directory does not count for what is in it.
    ['dir/x\n!dir', ['dir/x'], ['dir', 'dir/y']],
    ['*\n!dir\ndir/x', ['dir/x', 'y'], ['dir', 'dir/y']],
    ['a***b', ['ab', 'axb', 'a/b', 'a/xb'], ['axc']],
  ])('%j', (text, excluded, kept) => {
    const matcher = parseIgnore(text)
    expect(excluded.filter((p) => !matcher.matches(p))).toEqual([])
    expect(kept.filter((p) => matcher.matches(p))).toEqual([])
  })

  it('tells the rule that decides, with its line', () => {
    const matcher = parseIgnore('# x\n*.md\n!README.md\n')
    expect(matcher.decidingRule('a.md')).toEqual({ pattern: '*.md', negated: false, line: 2 })
    expect(matcher.decidingRule('README.md')).toMatchObject({ negated: true, line: 3 })
    expect(matcher.decidingRule('x')).toBeUndefined()
  })

  it.each(['!', 'a\n!\n', ' ! '])('refuses a lone ! (%j)', (text) => {
    expect(() => parseIgnore(text)).toThrow('illegal exclusion pattern: "!"')
  })

  it('refuses malformed patterns and names the line', () => {
    expect(() => parseIgnore('ok\na[')).toThrow(IgnoreSyntaxError)
    expect(() => parseIgnore('ok\na[')).toThrow(expect.objectContaining({ line: 2, pattern: 'a[' }))
  })

  it('knows where a re-inclusion may lie', () => {
    expect(parseIgnore('*\n!a/b').mayReinclude('a')).toBe(true)
    expect(parseIgnore('*\n!a/b').mayReinclude('a/b/c')).toBe(true)
    expect(parseIgnore('*\n!a/b').mayReinclude('ab')).toBe(false)
    expect(parseIgnore('*\n!**/b').mayReinclude('x')).toBe(true)
    expect(parseIgnore('*').mayReinclude('x')).toBe(false)
  })

  it('answers in any order of asking', () => {
    const matcher = parseIgnore('a\n!a/k')
    for (const path of ['a/k/z', 'b', 'a/x/y', 'a/k', 'a/x/z', 'a']) {
      expect([path, matcher.matches(path)]).toEqual([path, !path.startsWith('a/k') && path !== 'b'])
    }
  })
})

it('compileIgnore takes patterns one by one and drops empty ones', () => {
  const matcher = compileIgnore(['', ' *.txt ', '!a.txt'])
  expect(matcher.matches('b.txt')).toBe(true)
  expect(matcher.matches('a.txt')).toBe(false)
  expect(() => compileIgnore(['!'])).toThrow(IgnoreSyntaxError)
})
