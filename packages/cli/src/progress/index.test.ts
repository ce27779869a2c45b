import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { ProgressMode } from '../flags/build/draft.ts'
import type { Environment, Output } from '../io.ts'
import { ended, log, started } from './events.test-support.ts'
import { chooseMode, startProgress, useColour } from './index.ts'

const output = (isTTY: boolean): Output & PassThrough =>
  Object.assign(new PassThrough(), { isTTY, columns: 80, rows: 24 })

describe('progress', () => {
  it.each<[ProgressMode, boolean, Environment, string]>([
    ['auto', true, {}, 'tty'],
    ['auto', false, {}, 'plain'],
    ['auto', true, { TERM: 'dumb' }, 'plain'],
    ['tty', true, {}, 'tty'],
    ['tty', false, {}, 'plain'],
    ['plain', true, {}, 'plain'],
    ['quiet', true, {}, 'quiet'],
    ['rawjson', false, {}, 'rawjson'],
  ])('%s on a terminal (%s) with %j is %s', (mode, isTTY, env, chosen) => {
    expect(chooseMode(mode, output(isTTY), env)).toBe(chosen)
  })

  it.each<[boolean, Environment, boolean]>([
    [true, {}, true],
    [true, { NO_COLOR: '1' }, false],
    [true, { TERM: 'dumb' }, false],
    [false, {}, false],
    [false, { FORCE_COLOR: '1' }, true],
    [true, { FORCE_COLOR: '0' }, false],
    [false, { FORCE_COLOR: '1', NO_COLOR: '1' }, false],
  ])('on a terminal (%s) with %j has colours: %s', (isTTY, env, colour) => {
    expect(useColour(output(isTTY), env)).toBe(colour)
  })

  it.each<[boolean, Environment, string]>([
    [false, {}, '#1 0.000 \\x1b[31mred\\x1b[2J'],
    [false, { FORCE_COLOR: '1' }, '#1 0.000 \x1b[31mred\x1b[0m'],
    [true, {}, '#1 0.000 \x1b[31mred\x1b[0m'],
    [true, { NO_COLOR: '1' }, '#1 0.000 red'],
  ])('on a terminal (%s) with %j prints a coloured line as %j', (isTTY, env, line) => {
    const stream = output(isTTY)
    {
      using display = startProgress('plain', stream, env)
      display.listener(started(0, 'a', 'A'))
      display.listener(log(0, 'a', '\x1b[31mred\x1b[2J\n'))
      display.listener(ended(0, 'a', 'done'))
    }
    expect(String(stream.read())).toBe(`#1 A\n${line}\n#1 DONE 0.0s\n`)
  })

  it('ends with the display', () => {
    const stream = output(false)
    const display = startProgress('plain', stream, {})
    display.listener(started(0, 'a', 'A'))
    display.listener(log(0, 'a', 'half'))
    display[Symbol.dispose]()
    display[Symbol.dispose]()
    display.listener(log(0, 'a', ' late\n'))
    expect(String(stream.read())).toBe('#1 A\n#1 0.000 half\n')
    expect(process.listeners('exit').filter(({ name }) => name === 'end')).toEqual([])
  })
})
