import { describe, expect, it } from 'vitest'
import { parseChmod } from './chmod.ts'

const octal = (text: string) => Number.parseInt(text, 8)

describe('parseChmod', () => {
  it.each([
    ['0', '755', '0'],
    ['644', '777', '644'],
    ['0755', '0', '755'],
    ['7777', '0', '7777'],
    ['u+x', '644', '744'],
    ['+x', '644', '755'],
    ['a+x', '644', '755'],
    ['go-w', '666', '644'],
    ['u=rw,go=r', '777', '644'],
    ['u=rwX,go=rX', '600', '644'],
    ['u=rwX,go=rX', '700', '755'],
    ['ug+rw-x', '111', '661'],
    ['g=u', '740', '770'],
    ['o=', '777', '770'],
    ['=', '777', '0'],
    ['u+s', '755', '4755'],
    ['g+s', '755', '2755'],
    ['+s', '755', '6755'],
    ['o+s', '755', '755'],
    ['+t', '755', '1755'],
    ['o+t', '755', '755'],
    ['u-s', '4755', '755'],
    ['g=rx', '2770', '750'],
    ['a-x,a+X', '755', '755'],
  ])('%s of %s is %s', (text, before, after) => {
    expect(parseChmod(text)?.apply(octal(before), false)).toBe(octal(after))
  })

  it('X is for directories too', () => {
    expect(parseChmod('u=rwX,go=rX')?.apply(0o600, true)).toBe(0o755)
    expect(parseChmod('a+X')?.apply(0o600, true)).toBe(0o711)
  })

  it.each(['', '64a', '10000', '8', '0o7', 'x', 'u', 'u+z', 'u+x,', 'u~x', '0x1', ' 644', 'g=ur'])(
    '%j is refused',
    (text) => expect(parseChmod(text)).toBeUndefined(),
  )
})
