import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startsGit } from './git-command.ts'

describe.each(['/bin/sh', '/no/shell'])('git started by %s', (shell) => {
  const [program, ...before] = startsGit(shell)
  const run = (args: readonly string[], path = process.env.PATH): string =>
    execFileSync(program!, [...before, ...args], { encoding: 'utf8', stdio: 'pipe', env: { PATH: path } })

  it('makes files with the modes of a checkout, whatever the umask is', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tsbuild-git-'))
    try {
      run(['-c', 'init.defaultBranch=a', 'init', '-q', join(directory, 'new')])
      expect(statSync(join(directory, 'new')).mode & 0o777).toBe(0o755)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('says that there is no git', () => {
    const failed = (): unknown => {
      try {
        return run(['version'], '/no/programs')
      } catch (error) {
        return (error as { status: number }).status
      }
    }
    expect(failed()).toBe(127)
  })
})
