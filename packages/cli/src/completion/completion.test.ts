import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { SHELLS } from './index.ts'

const DATA = {
  commands: [
    {
      name: 'build',
      summary: 'Build it',
      flags: [
        { name: 'tag', alias: 't', type: 'list', value: 'NAME[:TAG]', help: "Name of the image's" },
        { name: 'progress', type: 'string', choices: ['plain', 'tty'], help: 'How' },
        { name: 'root', type: 'string', completes: 'directory', help: 'Where' },
        { name: 'quiet', alias: 'q', type: 'boolean', help: 'Silent [very]' },
      ],
    },
    {
      name: 'images',
      summary: 'List: all',
      flags: [{ name: 'format', type: 'string', choices: ['json'], help: 'As' }],
    },
  ],
} as const

const has = (shell: string) => spawnSync(shell, ['-c', 'exit 0']).status === 0

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'])('of %s is a script that the shell can read', (shell) => {
    const script = SHELLS.get(shell)!(DATA)
    expect(script).toContain('tsbuild')
    if (!has(shell)) return
    expect(spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
  })

  it.skipIf(!has('bash')).each<[string[], string[]]>([
    [['im'], ['images']],
    [['--'], ['--tag', '--progress', '--root', '--quiet']],
    [
      ['--progress', ''],
      ['plain', 'tty'],
    ],
    [['-q', '--progress', 'p'], ['plain']],
    [['images', '--f'], ['--format']],
    [['images', '--format', ''], ['json']],
  ])('bash completes %j (needs bash)', (words, expected) => {
    const script = `${SHELLS.get('bash')!(DATA)}
COMP_WORDS=(tsbuild ${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length}
_tsbuild
printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout } = spawnSync('bash', ['--norc', '-c', script], { encoding: 'utf8', cwd: import.meta.dirname })
    expect(stdout.trim().split('\n')).toEqual(expected)
  })
})
