import { describe, expect, it } from 'vitest'
import { parseChmod } from './chmod.ts'

const octal = (mode: number): string => mode.toString(8).padStart(4, '0')

describe('parseChmod', () => {
  it.each([
    ['0', 0o755, false, '0000'],
    ['644', 0o755, false, '0644'],
    ['0644', 0o755, true, '0644'],
    ['07777', 0o755, false, '7777'],
    ['a+X', 0o644, false, '0644'],
    ['a+X', 0o744, false, '0755'],
    ['a+X', 0o644, true, '0755'],
    ['go-w', 0o666, false, '0644'],
    ['u=rw,g=r,o=r', 0o755, false, '0644'],
    ['u=rwX,go=rX', 0o700, false, '0755'],
    ['u=rwX,go=rX', 0o600, false, '0644'],
    ['u=rwX,go=rX', 0o600, true, '0755'],
    ['u+rw,g+r,o-x,o+w', 0o001, false, '0642'],
    ['+x', 0o644, false, '0755'],
    ['+w', 0o444, false, '0666'],
    ['a+w', 0o444, false, '0666'],
    ['=r', 0o777, false, '0444'],
    ['u+s', 0o755, false, '4755'],
    ['g+s', 0o755, true, '2755'],
    ['ug+s', 0o755, true, '6755'],
    ['o+s', 0o755, false, '0755'],
    ['+t', 0o777, true, '1777'],
    ['a-s', 0o6755, false, '0755'],
    ['g=u', 0o640, false, '0660'],
    ['o=g,g=', 0o750, false, '0705'],
    ['u+x-w', 0o644, false, '0544'],
    ['a=', 0o4755, false, '0000'],
    ['u=', 0o1777, true, '1077'],
  ])('%s of %i (directory: %s) is %s', (text, mode, isDir, expected) => {
    expect(octal(parseChmod(text).apply(mode, isDir))).toBe(expected)
  })

  it('looks at the permission bits only', () => {
    expect(octal(parseChmod('a+r').apply(0o100600, false))).toBe('0644')
  })

  it.each(['64a', '10000', '', '888', '-1', 'u', 'x+r', 'u+q', 'u+r,', ',u+r', 'u+r o+r', '0x1ff', '+6'])(
    'refuses %j in the words of the reference',
    (text) => {
      expect(() => parseChmod(text)).toThrow(
        `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`,
      )
    },
  )
})
