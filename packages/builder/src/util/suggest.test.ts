import { expect, it } from 'vitest'
import { didYouMean, suggest } from './suggest.ts'

it.each([
  ['mont', ['mount', 'network'], 'mount'],
  ['foo', ['exclude', 'from'], 'from'],
  ['after', ['platform'], undefined],
  ['from', ['from', 'frim'], undefined],
  ['bulid', ['base', 'build'], 'build'],
  ['a', ['b', 'c'], 'b'],
  ['abc', [], undefined],
  ['', ['ab', 'abc'], 'ab'],
  ['x'.repeat(1_000_000), ['x'.repeat(999_999)], undefined],
])('%#: suggests the closest name', (word, options, expected) => {
  expect(suggest(word, options)).toBe(expected)
})

it('matches the case of the word', () => {
  expect(didYouMean('FORM', ['FROM', 'RUN'], true)).toBe(' (did you mean FROM?)')
  expect(didYouMean('rum', ['FROM', 'RUN'], true)).toBe(' (did you mean run?)')
  expect(didYouMean('Rum', ['FROM', 'RUN'], true)).toBe(' (did you mean run?)')
  expect(didYouMean('FORM', ['from'])).toBe('')
})
