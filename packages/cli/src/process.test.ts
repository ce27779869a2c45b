import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { VERSION } from './version.ts'

const BIN = join(import.meta.dirname, '../bin/tsbuild.js')
const home = mkdtempSync(join(tmpdir(), 'tsbuild-cli-'))
afterAll(() => rmSync(home, { recursive: true }))

const env = { PATH: process.env.PATH, HOME: home, TSBUILD_ROOT: join(home, 'root') }

/** A Node that is too old, where the machine has one. */
function oldNode(): string | undefined {
  for (const path of ['/usr/bin/node', '/usr/local/bin/node', '/usr/bin/nodejs']) {
    if (!existsSync(path)) continue
    const version = spawnSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout.trim()
    const [major = 0, minor = 0] = version.split('.').map(Number)
    if (major < 24 || (major === 24 && minor < 15) || major === 25) return path
  }
  return undefined
}

const run = async (...args: string[]) => {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [BIN, ...args], { env })
    return { code: 0, stdout, stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}

describe('the program', () => {
  it('has the version of its package', async () => {
    const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
      version: string
    }
    expect(VERSION).toBe(manifest.version)
    expect(await run('version')).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining(`tsbuild ${VERSION} `),
    })
  })

  it('runs without the bin file too', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'main.ts'), 'version'], {
      env,
    })
    expect(stdout).toContain(VERSION)
  })

  it('keeps its compile cache in the home directory of its user', async () => {
    await run('version')
    expect(existsSync(join(home, '.cache/tsbuild/node'))).toBe(true)
  })

  it('prints its help on stdout', async () => {
    expect(await run()).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('Exit codes:') })
    expect(await run('push', '--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('tsbuild push [FLAGS] NAME'),
    })
    expect(await run('help', 'build')).toMatchObject({ code: 0, stdout: expect.stringContaining('--secret id=ID') })
  })

  it.each<[string[], string]>([
    [['imagse'], 'ERROR: unknown command: imagse\nhint: did you mean tsbuild images?\n'],
    [['--tga', 'x', '.'], 'ERROR: unknown flag: --tga\nhint: did you mean --tag?\n'],
    [
      ['tag', 'x'],
      'ERROR: tsbuild tag takes at least 2 arguments, not 1\nhint: tsbuild tag --help shows how it is used\n',
    ],
    [['help', 'pish'], 'ERROR: unknown command: pish\nhint: did you mean tsbuild help push?\n'],
    [['completion', 'ksh'], 'ERROR: unknown shell: ksh\nhint: the shells are bash, zsh, fish\n'],
    [['--secret', 'id=,src', '.'], "ERROR: invalid field 'src' must be a key=value pair\n"],
  ])('refuses %j with exit code 2', async (args, stderr) => {
    expect(await run(...args)).toEqual({ code: 2, stdout: '', stderr })
  })

  const old = oldNode()
  it.skipIf(!old)('refuses an old Node in one line (needs a Node before 24.15 beside this one)', () => {
    const { status, stderr, stdout } = spawnSync(old!, [BIN, 'version'], { env, encoding: 'utf8' })
    expect(status).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^tsbuild needs Node \^24\.15 or >=26, this is [\d.]+ \(.*\)\n$/)
  })

  it.each([
    '--env-file',
    '--env-file=/nope',
    '--env-file-if-exists=/nope',
    '--experimental-config-file=/nope',
    '--experimental-default-config-file',
  ])('gives %s to the command, not to Node', (option) => {
    const { stderr, status } = spawnSync(BIN, ['run', option, '/nope', 'image'], {
      env: { ...env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
      encoding: 'utf8',
    })
    expect(stderr).toMatch(/^ERROR: (cannot read --env-file \/nope: no such file or directory|unknown flag: --e)/)
    expect(status).toBe(2)
  })

  it('takes words as they are', () => {
    const { stderr } = spawnSync(BIN, ['help', '\\--env-file x'], {
      env: { ...env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
      encoding: 'utf8',
    })
    expect(stderr).toContain('unknown command: \\--env-file x\n')
  })

  it.each(['stdout', 'stderr'] as const)('ends quietly when nobody reads %s', async (closed) => {
    // Help goes to stdout, an error to stderr.
    const child = spawn(process.execPath, [BIN, ...(closed === 'stdout' ? ['help', 'build'] : ['--bogus'])], { env })
    child[closed].destroy()
    let other = ''
    child[closed === 'stdout' ? 'stderr' : 'stdout'].on('data', (data: Buffer) => {
      other += data.toString()
    })
    const [code] = (await once(child, 'close')) as [number]
    expect(other).toBe('')
    expect([0, 1, 2]).toContain(code)
  })

  it.each<[NodeJS.Signals, number]>([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])('stops at %s with exit code %i', async (signal, expected) => {
    const child = waitingBuild()
    await child.started
    child.process.kill(signal)
    const [code] = (await once(child.process, 'close')) as [number]
    expect(code).toBe(expected)
    expect(child.stderr()).toMatch(/\nERROR: canceled\n$/)
    expect(child.stderr()).not.toContain('    at ')
  })

  it('cancels the build when nobody reads its progress', async () => {
    const child = waitingBuild()
    await child.started
    child.process.stderr.destroy()
    child.process.stdin.end('FROM scratch\nLABEL a=b\n')
    const [code] = (await once(child.process, 'close')) as [number]
    expect([0, 1]).toContain(code)
  })
})

/** A build that waits for its Dockerfile on stdin; `started` when it says so. */
function waitingBuild() {
  const child = spawn(process.execPath, [BIN, '--progress=plain', '-f', '-', '.'], { env, cwd: home, stdio: 'pipe' })
  // Unread output would keep the child from being closed.
  child.stdout.resume()
  let stderr = ''
  const started = new Promise<void>((resolve) => {
    child.stderr.on('data', (data: Buffer) => {
      stderr += data.toString()
      if (stderr.includes('#1 [internal]')) resolve()
    })
  })
  return { process: child, started, stderr: () => stderr }
}
