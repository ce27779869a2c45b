import { describe, expect, it } from 'vitest'
import { csvFields, keyValue } from './csv.ts'
import { globalOptions } from './global.ts'
import { distance, suggest } from './suggest.ts'
import { parseDuration, parseInteger, parseSize } from './values.ts'

describe('csvFields', () => {
  it.each<[string, string[]]>([
    ['', ['']],
    ['a', ['a']],
    ['type=oci,dest=x', ['type=oci', 'dest=x']],
    ['a,,b', ['a', '', 'b']],
    ['a,', ['a', '']],
    ['"a,b",c', ['a,b', 'c']],
    ['"dest=a ""b"" c",d', ['dest=a "b" c', 'd']],
    ['""', ['']],
    ['a=b c,d', ['a=b c', 'd']],
  ])('%j', (text, fields) => expect(csvFields(text, 'output')).toEqual(fields))

  it.each(['a"b', '"a', '"a"b', 'x,"'])('refuses %j', (text) => {
    expect(() => csvFields(text, 'output')).toThrow(/invalid value for --output/)
  })

  it('splits at the first equals sign', () => {
    expect(keyValue('a=b=c')).toEqual(['a', 'b=c'])
    expect(keyValue('a')).toBeUndefined()
    expect(keyValue('=a')).toEqual(['', 'a'])
  })
})

describe('parseSize', () => {
  it.each<[string, number]>([
    ['0', 0],
    ['134217728', 134217728],
    ['80m', 80 * 2 ** 20],
    ['80M', 80 * 2 ** 20],
    ['80mb', 80 * 2 ** 20],
    ['80MiB', 80 * 2 ** 20],
    ['1.5g', 1.5 * 2 ** 30],
    ['64k', 65536],
    ['512b', 512],
    ['2 t', 2 * 2 ** 40],
  ])('%s', (text, bytes) => expect(parseSize(text, 'shm-size')).toBe(bytes))

  it.each(['', 'm', '-1', '1x', '1e3', '0x10', '99999999999999999', '9999999999p'])('refuses %j', (text) => {
    expect(() => parseSize(text, 'shm-size')).toThrow(`invalid size for --shm-size: ${JSON.stringify(text)}`)
  })
})

describe('parseDuration', () => {
  it.each<[string, number]>([
    ['90', 90_000],
    ['0.5', 500],
    ['90s', 90_000],
    ['1m30s', 90_000],
    ['500ms', 500],
    ['1.5h', 5_400_000],
  ])('%s', (text, ms) => expect(parseDuration(text, 'run-timeout')).toBe(ms))

  it.each(['', 's', '5x', '1m30', '-5s', '0s', ' 5s'])('refuses %j', (text) => {
    expect(() => parseDuration(text, 'run-timeout')).toThrow('invalid duration for --run-timeout')
  })
})

describe('parseInteger', () => {
  it('checks the lower bound', () => {
    expect(parseInteger('3', 'run-retries')).toBe(3)
    expect(parseInteger('-1', 'ulimit', -1)).toBe(-1)
    expect(() => parseInteger('-1', 'run-retries')).toThrow('it must be a whole number from 0 up')
    expect(() => parseInteger('1.5', 'run-retries')).toThrow('whole number')
    expect(() => parseInteger('', 'run-retries')).toThrow('whole number')
  })
})

describe('suggest', () => {
  const known = ['build', 'images', 'inspect', 'push', 'pull', 'prune', 'tag', 'tags', 'no-cache', 'no-cache-filter']

  it.each<[string, string | undefined]>([
    ['imges', 'images'],
    ['IMAGES', 'images'],
    ['pusj', 'push'],
    ['no-cahce', 'no-cache'],
    ['insp', 'inspect'],
    ['nocache', 'no-cache'],
    ['frobnicate', undefined],
    ['', undefined],
    ['x', undefined],
  ])('%s → %s', (word, expected) => expect(suggest(word, known)).toBe(expected))

  it('counts a swap of neighbours as one edit', () => {
    expect(distance('abcd', 'abdc')).toBe(1)
    expect(distance('', 'ab')).toBe(2)
    expect(distance('same', 'same')).toBe(0)
  })

  it('does not look at words of absurd length for long', () => {
    expect(suggest('x'.repeat(1_000_000), known)).toBeUndefined()
  })
})

it('a directory is no file of authorities', () => {
  expect(() => globalOptions({ 'ca-file': [import.meta.dirname] })).toThrow(/^--ca-file .* is a directory$/)
})
