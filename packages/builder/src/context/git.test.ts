import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listTree, makeTree, temporaryDirectory } from './fixture.test-support.ts'
import { fetchGit, type GitSpec, resolveGit } from './git.ts'

const hasDaemon = spawnSync('git', ['daemon', '-h']).status === 129
const directory = temporaryDirectory()
const signal = new AbortController().signal
const options = { signal, env: process.env }

it('tells what git said as a terminal would show it', async () => {
  makeTree(`${directory.path}/fake`, {
    git: {
      text: '#!/bin/sh\nprintf "remote: 1%%\\rremote: 100%%\\r\\nfatal: the connection was lost\\r\\n\\n" >&2\nexit 128\n',
      mode: 0o755,
    },
  })
  const env = { PATH: `${directory.path}/fake:${process.env.PATH}` }
  await expect(resolveGit({ url: 'https://example.com/x.git' }, { signal, env })).rejects.toMatchObject({
    message: 'failed to fetch https://example.com/x.git: remote: 100%; fatal: the connection was lost',
  })
})

describe.skipIf(!hasDaemon)('git (needs git daemon)', () => {
  const served = `${directory.path}/served`
  const work = `${served}/repo`
  let daemon: ChildProcess
  let url: string
  let first: string
  let second: string

  const git = (cwd: string, ...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@x', '-c', 'protocol.file.allow=always', ...args], {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: '/nonexistent',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_COMMITTER_DATE: '1700000000 +0000',
      },
    }).trim()
  const commit = (cwd: string, message: string) => {
    git(cwd, 'add', '-A')
    git(cwd, 'commit', '-q', '-m', message)
    return git(cwd, 'rev-parse', 'HEAD')
  }

  beforeAll(async () => {
    makeTree(`${served}/sub`, { inner: 'I' })
    git(`${served}/sub`, 'init', '-q', '-b', 'main')
    commit(`${served}/sub`, 'sub')
    makeTree(work, {
      README: '1',
      'docs/a': 'A',
      run: { text: '#!', mode: 0o755 },
      link: { link: '/etc/passwd' },
      out: { link: '..' },
    })
    git(work, 'init', '-q', '-b', 'main')
    first = commit(work, 'one')
    git(work, 'tag', '-a', '-m', 'tag', 'v1')
    git(work, 'checkout', '-q', '-b', 'feature/x')
    makeTree(work, { feature: 'F' })
    commit(work, 'feature')
    git(work, 'checkout', '-q', 'main')
    writeFileSync(`${work}/README`, '2')
    second = commit(work, 'two')

    const port = await freePort()
    url = `git://127.0.0.1:${port}/repo/.git`
    const args = [
      'daemon',
      '--reuseaddr',
      '--export-all',
      `--base-path=${served}`,
      '--listen=127.0.0.1',
      `--port=${port}`,
    ]
    daemon = spawn('git', args, { stdio: 'ignore', detached: true })
    for (let i = 0; i < 100 && !(await answers(port)); i++) await setTimeout(50)
  })
  afterAll(() => {
    if (daemon?.pid !== undefined) process.kill(-daemon.pid, 'SIGKILL')
  })

  let count = 0
  const fetched = (spec: Partial<GitSpec> = {}) =>
    fetchGit({ url, ...spec }, `${directory.path}/out${count++}`, options)
  const failing = (spec: Partial<GitSpec>) => fetched(spec).catch((error: unknown) => error)
  const readme = (dir: string) => listTree(dir).find((line) => line.startsWith('README='))

  it('finds commits without fetching', async () => {
    expect(await resolveGit({ url }, options)).toEqual({ commit: second, ref: 'HEAD' })
    expect(await resolveGit({ url, ref: 'main' }, options)).toEqual({ commit: second, ref: 'refs/heads/main' })
    expect(await resolveGit({ url, ref: 'v1' }, options)).toEqual({ commit: first, ref: 'refs/tags/v1' })
    expect(await resolveGit({ url, ref: first }, options)).toEqual({ commit: first, ref: first })
  })

  it('checks out the default branch, without its metadata', async () => {
    const { directory: dir, commit: found, time } = await fetched()
    expect(found).toBe(second)
    expect(time).toBe(1700000000)
    expect(listTree(dir, { modes: true })).toEqual([
      'README=2 644',
      'docs/ 755',
      'docs/a=A 644',
      'link -> /etc/passwd',
      'out -> ..',
      'run=#! 755',
    ])
  })

  it.each<[string, () => Partial<GitSpec>, string]>([
    ['a branch', () => ({ ref: 'main' }), 'README=2'],
    ['a branch with a slash', () => ({ ref: 'feature/x' }), 'README=1'],
    ['a tag', () => ({ ref: 'v1' }), 'README=1'],
    ['a full name', () => ({ ref: 'refs/tags/v1' }), 'README=1'],
    ['a commit', () => ({ ref: first }), 'README=1'],
    ['the beginning of a commit', () => ({ ref: first.slice(0, 10) }), 'README=1'],
    ['a checked commit', () => ({ ref: 'v1', checksum: first.slice(0, 12) }), 'README=1'],
  ])('takes %s', async (_, spec, want) => {
    expect(readme((await fetched(spec())).directory)).toBe(want)
  })

  it('takes a directory, inside of the repository only', async () => {
    expect(listTree((await fetched({ subdir: 'docs' })).directory)).toEqual(['a=A'])
    expect(listTree((await fetched({ subdir: '../../docs' })).directory)).toEqual(['a=A'])
    expect(readme((await fetched({ subdir: 'out' })).directory)).toBe('README=2')
    expect(await failing({ subdir: 'nope' })).toMatchObject({ code: 'GIT_SUBDIR_NOT_FOUND' })
    expect(await failing({ subdir: 'link' })).toMatchObject({ code: 'GIT_SUBDIR_NOT_FOUND' })
  })

  it('keeps the metadata on request', async () => {
    const { directory: dir } = await fetched({ keepGitDir: true })
    expect(git(dir, 'log', '--format=%s', '-1')).toBe('two')
    expect(git(dir, 'status', '--porcelain')).toBe('')
    expect(git(dir, 'remote', 'get-url', 'origin')).toBe(url)
  })

  it.each<[string, () => Partial<GitSpec>, object]>([
    [
      'an unknown ref',
      () => ({ ref: 'nope' }),
      { code: 'GIT_REF_NOT_FOUND', message: expect.stringContaining('does not contain ref "nope"') },
    ],
    ['an unknown commit', () => ({ ref: 'a'.repeat(40) }), { code: 'GIT_REF_NOT_FOUND' }],
    ['an unknown repository', () => ({ url: `${url}x` }), { code: 'GIT_FAILED' }],
    ['another commit', () => ({ ref: 'v1', checksum: '0123456789' }), { code: 'CHECKSUM_MISMATCH' }],
    [
      'files of this machine',
      () => ({ url: `file://${work}` }),
      { code: 'GIT_FAILED', message: expect.stringContaining("'file' not allowed") },
    ],
    [
      'commands',
      () => ({ url: 'ext::sh -c true' }),
      { code: 'GIT_FAILED', message: expect.stringContaining("'ext' not allowed") },
    ],
  ])('fails for %s', async (_, spec, want) => expect(await failing(spec())).toMatchObject(want))

  it('runs nothing that the repository brings along', async () => {
    const pwned = `${directory.path}/pwned`
    const evil = `${served}/evil`
    makeTree(evil, {
      f: 'F',
      '.gitattributes': '* filter=evil\n',
      '.gitmodules': `[submodule "x"]\n path = x\n url = ext::sh -c touch% ${pwned}\n`,
      'hooks/post-checkout': { text: `#!/bin/sh\ntouch ${pwned}\n`, mode: 0o755 },
    })
    git(evil, 'init', '-q', '-b', 'main')
    git(evil, 'config', 'filter.evil.smudge', `touch ${pwned}`)
    git(evil, 'update-index', '--add', '--cacheinfo', `160000,${first},x`)
    git(evil, 'add', 'f', '.gitattributes', '.gitmodules', 'hooks')
    git(evil, 'commit', '-q', '-m', 'evil')
    expect(await failing({ url: url.replace('repo', 'evil') })).toMatchObject({ code: 'GIT_FAILED' })
    expect((await fetched({ url: url.replace('repo', 'evil'), submodules: false })).commit).toHaveLength(40)
    writeFileSync(`${evil}/.gitmodules`, `[submodule "x"]\n path = x\n url = ${url}\n update = !touch ${pwned}\n`)
    git(evil, 'commit', '-q', '-m', 'worse', '--', '.gitmodules')
    expect(await failing({ url: url.replace('repo', 'evil') })).toMatchObject({ code: 'GIT_FAILED' })
    expect(listTree(directory.path).filter((line) => line.startsWith('pwned'))).toEqual([])
  })

  it('fetches submodules', async () => {
    const outer = `${served}/outer`
    mkdirSync(outer)
    git(outer, 'init', '-q', '-b', 'main')
    git(outer, 'submodule', 'add', '-q', url.replace('repo/', 'sub/'), 'm')
    commit(outer, 'outer')
    const outerUrl = url.replace('repo', 'outer')
    expect(listTree((await fetched({ url: outerUrl })).directory)).toContain('m/inner=I')
    expect(listTree((await fetched({ url: outerUrl, submodules: false })).directory)).toContain('m/')
    expect(listTree((await fetched({ url: outerUrl })).directory).filter((line) => line.includes('.git/'))).toEqual([])
  })

  it('ends when it is aborted', async () => {
    const silent = createServer()
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const controller = new AbortController()
    const { port } = silent.address() as AddressInfo
    const run = fetchGit({ url: `git://127.0.0.1:${port}/x` }, `${directory.path}/aborted`, {
      ...options,
      signal: controller.signal,
    })
    setTimeout(100).then(() => controller.abort())
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED' })
    silent.close()
  })
})

it('says that git is missing', async () => {
  const run = resolveGit({ url: 'git://127.0.0.1:1/x' }, { signal, env: { PATH: directory.path } })
  await expect(run).rejects.toMatchObject({ code: 'GIT_MISSING' })
})

afterAll(() => directory[Symbol.dispose]())

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
