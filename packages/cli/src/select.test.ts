import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { commandBehindFlags, selectCommand } from './select.ts'

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
    [['--version'], 'version', []],
    [['-v'], 'version', []],
    [['--root', '/r', '--version', '--format', 'json'], 'version', ['--root', '/r', '--format', 'json']],
    [['du', '-v'], 'du', ['-v']],
  ])('%j is for %s', (argv, name, args) => {
    const selection = selectCommand(argv, { cwd })
    expect(selection?.entry.name).toBe(name)
    expect(selection?.args).toEqual(args)
  })

  it.each<[string[], string | undefined]>([
    [['-q', 'images'], 'tsbuild images -q'],
    [['-a', 'images', '--filter', "it's"], "tsbuild images -a --filter 'it'\\''s'"],
    [['-t', 'x', 'build', '.'], 'tsbuild build -t x .'],
    [['-t', 'x', '.'], undefined],
    [['-q', 'context'], undefined],
  ])('of %j knows that a command is meant', (argv, meant) => {
    expect(selectCommand(argv, { cwd })).toMatchObject({ implied: true })
    expect(commandBehindFlags(argv, { cwd })).toBe(meant)
  })

  it.each([[[]], [['--help']], [['-D']], [['--root', '/r']]])('%j shows the overview', (argv) => {
    expect(selectCommand(argv, { cwd })).toBeUndefined()
  })

  it('takes a word that is no directory for a mistyped command', () => {
    expect(() => selectCommand(['imges'], { cwd })).toThrow('unknown command: imges')
    expect(() => selectCommand(['toString'], { cwd })).toThrow('unknown command: toString')
    expect(() => selectCommand(['pusj', '-q', 'x'], { cwd })).toThrow('unknown command: pusj')
    expect(() => selectCommand(['biuld', '.'], { cwd })).toThrow(
      expect.objectContaining({ message: 'unknown command: biuld', hint: 'did you mean tsbuild build?' }),
    )
  })

  it.each<[string[], string, string]>([
    [['image', 'ls'], 'image ls', 'tsbuild images'],
    [['image'], 'image', 'images, inspect'],
    [['buildx', 'imagetools', 'inspect', 'x'], 'buildx imagetools inspect', 'tsbuild inspect --remote'],
    [['buildx', 'ls'], 'buildx', 'no builder instances'],
    [['system', 'df'], 'system df', 'tsbuild du'],
    [['builder', 'prune', '-f'], 'builder prune', 'tsbuild prune'],
    [['ps', '-a'], 'ps', 'no containers'],
    [['docker', 'build', '.'], 'docker', 'leave out docker: tsbuild build .'],
    [['podman', 'system', 'df'], 'podman', 'tsbuild du'],
  ])('says what %j is here', (argv, command, hint) => {
    expect(() => selectCommand(argv, { cwd })).toThrow(
      expect.objectContaining({
        message: `tsbuild has no command ${command}`,
        hint: expect.stringContaining(hint),
      }),
    )
  })
})
