import { describe, expect, it } from 'vitest'
import { commentOptions, parseCheckOptions } from './options.ts'

describe('parseCheckOptions', () => {
  it.each([
    ['', {}],
    ['skip=all', { skipAll: true }],
    [' skip = A , B ; error = true ', { skip: new Set(['A', 'B']), error: true }],
    ['skip=A;skip=B', { skip: new Set(['B']) }],
    ['experimental=all;error=1', { experimentalAll: true, error: true }],
    ['error=f;experimental=X', { error: false, experimental: new Set(['X']) }],
  ])('%j', (text, expected) => {
    expect(parseCheckOptions(text)).toMatchObject(expected)
  })

  it.each([
    ['skip', 'failed to parse check options: invalid check option "skip"'],
    ['hide=A', 'failed to parse check options: invalid check option "hide"'],
    [
      'error=maybe',
      'failed to parse check options: failed to parse check option "error=maybe": "maybe" is not a boolean',
    ],
    ['skip=A;error=true;experimental=B;skip=C', undefined],
  ])('%j is refused', (text, message) => {
    if (message === undefined) expect(parseCheckOptions(text).experimental).toEqual(new Set(['B;skip=C']))
    else expect(() => parseCheckOptions(text)).toThrow(message)
  })
})

describe('commentOptions', () => {
  it.each([
    [[], undefined],
    [['a comment'], undefined],
    [['check=of prose'], undefined],
    [['check=skip=A // why'], { skip: new Set(['A']) }],
    [['check=skip=A', 'text between', 'Check = skip=B'], { skip: new Set(['A', 'B']) }],
  ])('%j', (comments, expected) => {
    const found = commentOptions(comments)
    if (expected === undefined) expect(found).toBeUndefined()
    else expect(found).toMatchObject(expected)
  })
})
