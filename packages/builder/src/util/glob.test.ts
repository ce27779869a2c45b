import { describe, expect, it } from 'vitest'
import { compileGlob, hasWildcard, matchGlob } from './glob.ts'

describe('matchGlob, as Go filepath.Match', () => {
  it.each([
    ['abc', 'abc', true],
    ['*', 'abc', true],
    ['*c', 'abc', true],
    ['a*', 'a', true],
    ['a*', 'ab/c', false],
    ['a*/b', 'abc/b', true],
    ['a*/b', 'a/c/b', false],
    ['a*b*c*d*e*/f', 'axbxcxdxe/f', true],
    ['a*b*c*d*e*/f', 'axbxcxdxexxx/fff', false],
    ['ab[c]', 'abc', true],
    ['ab[b-d]', 'abc', true],
    ['ab[e-g]', 'abc', false],
    ['ab[^c]', 'abc', false],
    ['ab[^e-g]', 'abc', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'ab', false],
    ['a?b', 'aéb', true],
    ['a?b', 'a😀b', true],
    ['a[^a]b', 'a☺b', true],
    ['a???b', 'aab', false],
    ['[a-ζ]*', 'α', true],
    ['*[a-ζ]', 'A', false],
    ['a?b', 'a/b', false],
    ['a*b', 'a/b', false],
    ['[\\]a]', ']', true],
    ['[\\-x]', '-', true],
    ['*x', 'xxx', true],
    ['**', 'a/b', false],
    ['ab*ba', 'aba', false],
  ])('%s %s: %s', (pattern, name, want) => {
    expect(matchGlob(pattern, name)).toBe(want)
  })

  it.each(['[]a]', '[-]', '[x-]', '[-x]', '[a-b-c]', '[', '[^', '[^bc', 'a[', 'a\\'])('%s is malformed', (pattern) => {
    expect(compileGlob(pattern)).toBeUndefined()
    expect(matchGlob(pattern, 'a')).toBe(false)
  })
})

describe('** of .dockerignore', () => {
  it.each([
    ['**', 'a/b', true],
    ['**/', 'a/b', true],
    ['**/file', 'file', true],
    ['**/file', 'dir/dir/file', true],
    ['**/file', 'dir/xfile', false],
    ['**file', 'dir/xfile', true],
    ['dir/**', 'dir/a/b', true],
    ['dir/**', 'dir', false],
    ['a/**/b', 'a/b', true],
    ['a/**/b', 'a/x/y/b', true],
    ['a/**/b', 'a/xb', false],
    ['**/*.txt', 'b.txt', true],
    ['**/**/*.txt', 'a/b/c.txt', true],
    ['a**/*.txt', 'a/file.txt', true],
    ['a**/*.txt', 'a/dir/file.txt', true],
    ['**/foo/bar', 'foo/bar', true],
    ['[^a]b', '/b', true],
  ])('%s %s: %s', (pattern, name, want) => {
    expect(compileGlob(pattern, true)?.test(name)).toBe(want)
  })
})

it('takes time linear in the name, whatever the pattern', () => {
  const name = 'a'.repeat(20_000)
  const start = performance.now()
  expect(matchGlob(`${'*a'.repeat(40)}b`, name)).toBe(false)
  expect(compileGlob(`${'**/'.repeat(30)}${'*a'.repeat(30)}c*`, true)?.test(name)).toBe(false)
  expect(performance.now() - start).toBeLessThan(2000)
})

it('knows wildcards from escapes', () => {
  expect(['a', 'a\\*', '\\[', ''].some(hasWildcard)).toBe(false)
  expect(['*', 'a?', '[a]', '\\\\*'].every(hasWildcard)).toBe(true)
})
