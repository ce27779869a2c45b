/** Lock files: what is locked, what builds make of it, and what CI refuses. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type BuildError, build, lock } from '@tsbuild/builder'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { git, startGitServer, tempRepositories } from '../support/git-server.ts'
import type { Finished } from '../support/process.ts'
import { gate } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')
const needsGit = gate('git', 'setpriv')

let place: Workspace
let context: string
/** What the http server gives. */
let content: string
let server: Server
let url: string
let requests: number

beforeEach(async () => {
  place = await openWorkspace()
  content = 'first'
  requests = 0
  server = createServer((_, response) => {
    requests++
    response.end(content)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await place[Symbol.asyncDispose]()
})

const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`
const lockText = () => readFileSync(`${context}/tsbuild.lock`, 'utf8')
/** Lines of the lock file without its head. */
const locked = () =>
  lockText()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))

async function buildIt(args: readonly string[] = [], env: Record<string, string> = {}): Promise<Finished> {
  return await place.run(['--progress=plain', '-o', place.join('out'), ...args, context], { env })
}

describe.skipIf(needs.skip)(`images${needs.note}`, () => {
  const registry = inject('registry')

  /** Pushes an image that differs from the last one of that name. @returns its digest */
  async function push(name: string, text: string): Promise<string> {
    const dockerfile = `FROM scratch\nCOPY <<EOF /base\n${text}\nEOF\n`
    const args = ['-q', '-t', `${registry}/${name}`, '-o', 'type=registry', '-f', '-']
    await place.must([...args, await place.files({}, 'empty')], { stdin: dockerfile })
    return (await place.must(['digest', `${registry}/${name}`])).stdout.trim()
  }

  it('of every stage that can be built are locked, by the names that they have', async () => {
    const [one, two, three, four] = await Promise.all(['one', 'two', 'three', 'four'].map((n) => push(`lk-${n}:1`, n)))
    context = await place.files({
      Dockerfile: [
        '# syntax=docker/dockerfile:1',
        'ARG NAME=lk-one',
        `FROM ${registry}/$NAME:1 AS first`,
        `FROM ${registry}/lk-two:1 AS second`,
        'RUN --mount=type=bind,from=named,target=/m true',
        `FROM ${registry}/lk-two@${two} AS pinned`,
        'FROM scratch',
        `COPY --from=${registry}/lk-three:1 / /`,
        'COPY --from=first / /',
        '',
      ].join('\n'),
    })
    const args = ['lock', '--build-context', `named=docker-image://${registry}/lk-four:1`, context]
    const { stdout } = await place.must(args)
    const lines = [
      `image ${registry}/lk-four:1 ${four}`,
      `image ${registry}/lk-one:1 ${one}`,
      `image ${registry}/lk-three:1 ${three}`,
      `image ${registry}/lk-two:1 ${two}`,
    ]
    expect(locked()).toEqual(lines)
    expect(stdout).toBe(lines.map((line) => `+ ${line}\n`).join(''))
    const before = lockText()
    expect((await place.must(args)).stdout).toBe('')
    expect(lockText()).toBe(before)

    await place.must([...args, '--build-arg', 'NAME=lk-two'])
    expect(locked()).toEqual(lines.filter((line) => !line.includes('lk-one')))
  })

  it('are those that were locked, until they are renewed', async () => {
    const old = await push('lk-moving:1', 'old')
    await push('lk-still:1', 'still')
    context = await place.files({
      Dockerfile: `FROM ${registry}/lk-still:1 AS still\nFROM ${registry}/lk-moving:1\nCOPY --from=still /base /still\n`,
    })
    const unlocked = await buildIt()
    expect(unlocked.code).toBe(0)
    await place.must(['lock', context])
    const same = await buildIt()
    expect(same.stderr).toMatch(/2 steps?, all cached|1 step, all cached/)
    expect(same.stderr.match(/^digest .*/m)?.[0]).toBe(unlocked.stderr.match(/^digest .*/m)?.[0])

    const renewed = await push('lk-moving:1', 'new')
    expect((await buildIt()).code).toBe(0)
    expect(readFileSync(place.join('out/base'), 'utf8')).toBe('old\n')
    expect((await buildIt(['--no-lock'])).code).toBe(0)
    expect(readFileSync(place.join('out/base'), 'utf8')).toBe('new\n')

    expect((await place.must(['lock', '--check', context])).code).toBe(0)
    const check = await place.run(['lock', '--check', '--update', '--context', context])
    expect(check).toMatchObject({ code: 1, stderr: expect.stringContaining('is not up to date') })
    expect(lockText()).toContain(old)
    expect((await place.must(['lock', '--update', '--context', context, `${registry}/lk-still`])).stdout).toBe('')
    const unknown = await place.run(['lock', '--update', '--context', context, 'lk-moving'])
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('called "lk-moving"') })
    expect((await place.must(['lock', '--update', '--context', context, `${registry}/lk-moving`])).stdout).toBe(
      `- image ${registry}/lk-moving:1 ${old}\n+ image ${registry}/lk-moving:1 ${renewed}\n`,
    )
    expect((await buildIt()).code).toBe(0)
    expect(readFileSync(place.join('out/base'), 'utf8')).toBe('new\n')
  })

  it('that are not locked are refused where that is asked for, and in CI', async () => {
    await push('lk-a:1', 'a')
    await push('lk-b:1', 'b')
    context = await place.files({ Dockerfile: `FROM ${registry}/lk-a:1\n` })
    expect(await buildIt(['--locked'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/there is no lock file tsbuild\.lock|there is no lock file .*tsbuild\.lock/),
    })
    expect((await buildIt([], { CI: 'true' })).code).toBe(0)
    await place.must(['lock', context])
    await place.files({ Dockerfile: `FROM ${registry}/lk-a:1\nCOPY --from=${registry}/lk-b:1 / /\n` })
    const warned = await buildIt()
    expect([warned.code, warned.stderr]).toEqual([0, expect.stringContaining(`${registry}/lk-b:1 is not locked`)])
    for (const [args, env] of [
      [['--locked'], {}],
      [[], { CI: 'true' }],
    ] as const) {
      const { code, stderr } = await buildIt(args, env)
      expect(code).toBe(1)
      expect(stderr).toContain(`${registry}/lk-b:1 is not locked: tsbuild.lock has no entry for it`)
      expect(stderr).toContain('run `tsbuild lock`')
      expect(stderr).toMatch(/^Dockerfile:2$/m)
    }
    expect((await buildIt(['--locked=false'], { CI: 'true' })).code).toBe(0)
    expect((await buildIt(['--no-lock'], { CI: 'true' })).code).toBe(0)
    await place.must(['lock', context])
    expect((await buildIt(['--locked'])).code).toBe(0)
  })

  it('keep the digest that the Dockerfile has', async () => {
    const digest = await push('lk-own:1', 'own')
    context = await place.files({ Dockerfile: `FROM ${registry}/lk-own:1@${digest}\n` })
    await place.must(['lock', context])
    expect(locked()).toEqual([])
    writeFileSync(`${context}/tsbuild.lock`, `image ${registry}/lk-own:1 ${sha256('another')}\n`)
    expect((await buildIt(['--locked'])).code).toBe(0)
  })
})

describe('URLs', () => {
  it('are locked by what they gave, and nothing else is taken', async () => {
    context = await place.files({ Dockerfile: `FROM scratch\nADD ${url} /file\n` })
    const first = await buildIt()
    await place.must(['lock', context])
    expect(locked()).toEqual([`http ${url} ${sha256('first')}`])
    const same = await buildIt()
    expect(same.stderr).toContain('all cached')
    expect(same.stderr.match(/^digest .*/m)?.[0]).toBe(first.stderr.match(/^digest .*/m)?.[0])

    content = 'second'
    expect((await buildIt()).code).toBe(0)
    expect(readFileSync(place.join('out/file'), 'utf8')).toBe('first')
    const elsewhere = await buildIt(['--root', place.join('empty')])
    expect(elsewhere.code).toBe(1)
    expect(elsewhere.stderr).toContain(`${sha256('second')} (expected: ${sha256('first')})`)
    expect(elsewhere.stderr).toContain('tsbuild lock --update')
    expect(elsewhere.stderr).toMatch(/^Dockerfile:2$/m)
    await place.must(['lock', '--update', '--context', context, url])
    expect(locked()).toEqual([`http ${url} ${sha256('second')}`])
  })

  it('have no credentials in the lock file, and no entry when the Dockerfile has a checksum', async () => {
    const secret = url.replace('//', '//me:pass@')
    context = await place.files({
      Dockerfile: `FROM scratch\nADD ${secret} /a\nADD --checksum=${sha256('first')} ${url}/other /b\n`,
    })
    await place.must(['lock', context])
    expect(locked()).toEqual([`http ${url} ${sha256('first')}`])
    expect((await buildIt(['--locked'])).code).toBe(0)
  })

  it('of named contexts are locked as well', async () => {
    context = await place.files({ Dockerfile: 'FROM scratch\nCOPY --from=named / /\n' })
    content = 'FROM scratch\n'
    const args = ['--build-context', `named=${url}`]
    await place.must(['lock', ...args, context])
    expect(locked()).toEqual([`http ${url} ${sha256(content)}`])
    content = 'FROM other\n'
    expect(await buildIt(args)).toMatchObject({ code: 1, stderr: expect.stringContaining('digest mismatch') })
  })
})

describe.skipIf(needsGit.skip)(`git refs${needsGit.note}`, () => {
  it('are locked by their commits, which are taken although the refs have moved', async () => {
    await using repositories = await tempRepositories()
    await using host = await startGitServer(repositories.path)
    const inner = repositories.join('inner.git')
    const commit = git(inner, 'rev-parse', 'HEAD').trim()
    const remote = `http://${host.host}/inner.git`
    const dockerfile = `FROM scratch\nADD ${remote}#main /m/\nADD ${remote}#v1 /t/\nADD ${remote}#${commit} /c/\n`
    context = await place.files({ Dockerfile: dockerfile })
    const first = await buildIt()
    expect(first.stderr).toContain('digest ')
    await place.must(['lock', context])
    expect(locked()).toEqual([`git ${remote}#main ${commit}`, `git ${remote}#v1 ${commit}`])
    const same = await buildIt()
    expect(same.stderr.match(/^digest .*/m)?.[0]).toBe(first.stderr.match(/^digest .*/m)?.[0])

    writeFileSync(`${inner}/inner`, 'changed')
    git(inner, 'commit', '-q', '-a', '-m', 'later')
    git(inner, 'tag', '-d', 'v1')
    const moved = await buildIt(['--locked'])
    expect(moved.stderr.match(/^digest .*/m)?.[0]).toBe(first.stderr.match(/^digest .*/m)?.[0])
    await place.must(['lock', '--update', '--context', context, `${remote}#main`])
    expect(locked()).toEqual([
      `git ${remote}#main ${git(inner, 'rev-parse', 'HEAD').trim()}`,
      `git ${remote}#v1 ${commit}`,
    ])
    expect((await buildIt(['--locked'])).code).toBe(0)
    expect(readFileSync(place.join('out/m/inner'), 'utf8')).toBe('changed')
  })
})

describe('the file', () => {
  it('has the name of the Dockerfile, or any', async () => {
    context = await place.files({ 'app.Dockerfile': `FROM scratch\nADD ${url} /\n` })
    const file = `${context}/app.Dockerfile`
    await place.must(['lock', '-f', file, context])
    expect(existsSync(`${file}.lock`)).toBe(true)
    expect((await buildIt(['-f', file, '--locked'])).code).toBe(0)
    writeFileSync(`${file}.lock`, '')
    expect((await buildIt(['-f', file, '--locked'])).stderr).toContain('run `tsbuild lock -f app.Dockerfile`')
    await place.must(['lock', '-f', file, '--lock-file', place.join('mine'), context])
    expect((await buildIt(['-f', file, '--lock-file', place.join('mine'), '--locked'])).code).toBe(0)
    expect((await buildIt(['-f', file, '--lock-file', place.join('none')])).stderr).toContain('there is no lock file')
  })

  it.each([
    ['<<<<<<< ours', 'no line of the form'],
    ['image alpine 3.22 sha256:00', 'no line of the form'],
    ['git http://x/y.git#main sha256:00', 'no line of the form'],
    [`http u ${sha256('a')}\nhttp u ${sha256('b')}`, 'u is locked twice'],
  ])('with %j is refused, with the line', async (text, problem) => {
    context = await place.files({ Dockerfile: 'FROM scratch\n', 'tsbuild.lock': `# head\n\n${text}\n` })
    const { code, stderr } = await buildIt()
    expect([code, stderr]).toEqual([1, expect.stringContaining(problem)])
    expect(stderr).toMatch(/^tsbuild\.lock:[34]$/m)
  })

  it('is typed data in the library', async () => {
    context = await place.files({ Dockerfile: `FROM scratch\nADD ${url} /\n` })
    const env = { PATH: process.env.PATH, HOME: place.home, TSBUILD_ROOT: place.root }
    const entry = { kind: 'http', source: url, digest: sha256('first') }
    const path = `${context}/tsbuild.lock`
    const planned = await lock({ context, env, dryRun: true })
    expect(planned).toEqual({ path, entries: [entry], added: [entry], renewed: [], removed: [] })
    expect(existsSync(path)).toBe(false)
    expect(await build({ context, env, locked: true }).catch((error: BuildError) => error.code)).toBe('LOCK_MISSING')
    await lock({ context, env })
    content = 'second'
    const after = { ...entry, digest: sha256('second') }
    expect(await lock({ context, env, update: [url], dryRun: true })).toMatchObject({
      renewed: [{ before: entry, after }],
    })
    expect((await build({ context, env, locked: true })).warnings).toEqual([])
    const asked = requests
    expect((await build({ context, env, lock: false })).warnings).toEqual([])
    expect(requests).toBeGreaterThan(asked)
    const nowhere = await lock({ context, env, dockerfileText: 'FROM scratch\n' }).catch(
      (error: BuildError) => error.code,
    )
    expect(nowhere).toBe('LOCK_NOWHERE')
  })
})
