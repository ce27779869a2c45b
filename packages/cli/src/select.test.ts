import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { selectCommand } from './select.ts'

const cwd = mkdtempSync(join(tmpdir(), 'tsbuild-select-'))
mkdirSync(join(cwd, 'context'))
afterAll(() => rmSync(cwd, { recursive: true }))

describe('selectCommand', () => {
  it.each<[string[], string, string[]]>([
    [['build', '.'], 'build', ['.']],
    [['-t', 'x', '.'], 'build', ['-t', 'x', '.']],
    [['.'], 'build', ['.']],
    [['-'], 'build', ['-']],
    [['https://example.com/a.git'], 'build', ['https://example.com/a.git']],
    [['context'], 'build', ['context']],
    [['images', '-q'], 'images', ['-q']],
    [['--root', '/r', 'images'], 'images', ['--root', '/r']],
    [['--root=/r', '-D', 'images'], 'images', ['--root=/r', '-D']],
    [['-t', 'images', '.'], 'build', ['-t', 'images', '.']],
    [['other', '-t', 'x'], 'build', ['other', '-t', 'x']],
    [['--bogus'], 'build', ['--bogus']],
  ])('%j is for %s', (argv, name, args) => {
    const selection = selectCommand(argv, { cwd })
    expect(selection?.entry.name).toBe(name)
    expect(selection?.args).toEqual(args)
  })

  it.each([[[]], [['--help']], [['-D']], [['--root', '/r']]])('%j shows the overview', (argv) => {
    expect(selectCommand(argv, { cwd })).toBeUndefined()
  })

  it('takes a word that is no directory for a mistyped command', () => {
    expect(() => selectCommand(['imges'], { cwd })).toThrow('unknown command: imges')
    expect(() => selectCommand(['toString'], { cwd })).toThrow('unknown command: toString')
  })
})
