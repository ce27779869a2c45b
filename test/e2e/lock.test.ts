/** Lock files: what is locked, what builds make of it, and what is refused. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { BuildError, type BuildOptions, type BuildResult, build, type LockOptions, lock } from '@tsbuild/builder'
import { TestRegistry } from '@tsbuild/registry-client/testing'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { gate } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')

let place: Workspace
let context: string
/** What the http server gives. */
let content: string
let server: Server
let url: string

beforeEach(async () => {
  place = await openWorkspace()
  content = 'first'
  server = createServer((_, response) => response.end(content)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await place[Symbol.asyncDispose]()
})

const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`
const output = (path: string) => readFileSync(place.join('out', path), 'utf8')
const lockText = () => readFileSync(join(context, 'tsbuild.lock'), 'utf8')
/** Lines of the lock file without its head. */
const locked = () =>
  lockText()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))

function environment(more: Readonly<Record<string, string>> = {}): Record<string, string | undefined> {
  return { PATH: process.env.PATH, HOME: place.home, TSBUILD_ROOT: place.root, ...more }
}

const lockIt = (options: LockOptions = {}) => lock({ context, env: environment(), ...options })

async function buildIt(options: BuildOptions = {}): Promise<BuildResult> {
  return await build({ context, env: environment(), ...options })
}

const buildFiles = (options: BuildOptions = {}) =>
  buildIt({ outputs: [{ type: 'local', attrs: { dest: place.join('out') } }], ...options })

/** What a build that must fail says. */
async function refusal(options: BuildOptions = {}): Promise<BuildError> {
  const error: unknown = await buildIt(options).catch((reason: unknown) => reason)
  if (error instanceof BuildError) return error
  throw new Error('the build did not fail', { cause: error })
}

describe.skipIf(needs.skip)(`images${needs.note}`, () => {
  const registry = inject('registry')

  /** Pushes an image that differs from the last one of that name. @returns its digest */
  async function push(name: string, text: string, host = registry): Promise<string> {
    const dockerfileText = `FROM scratch\nCOPY <<EOF /base\n${text}\nEOF\n`
    const outputs = [{ type: 'registry', attrs: {} }] as const
    const root = place.join('pushing')
    const tags = [`${host}/${name}`]
    return (
      await build({ context: await place.files({}, 'empty'), env: environment(), root, dockerfileText, outputs, tags })
    ).digest
  }

  it('of every stage that can be built are locked, by the names that they have', async () => {
    const digests: string[] = []
    for (const name of ['one', 'two', 'three', 'four']) digests.push(await push(`lk-${name}:1`, name))
    const [one, two, three, four] = digests
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
    const buildContexts = { named: `docker-image://${registry}/lk-four:1` }
    const result = await lockIt({ buildContexts })
    const lines = [
      `image ${registry}/lk-four:1 ${four}`,
      `image ${registry}/lk-one:1 ${one}`,
      `image ${registry}/lk-three:1 ${three}`,
      `image ${registry}/lk-two:1 ${two}`,
    ]
    expect(locked()).toEqual(lines)
    expect(result.added.map(({ kind, source, digest }) => `${kind} ${source} ${digest}`)).toEqual(lines)
    const before = lockText()
    expect(await lockIt({ buildContexts })).toMatchObject({ added: [], renewed: [], removed: [] })
    expect(lockText()).toBe(before)

    await lockIt({ buildContexts, buildArgs: { NAME: 'lk-two' } })
    expect(locked()).toEqual(lines.filter((line) => !line.includes('lk-one')))
  })

  it('are those that were locked, until they are renewed', async () => {
    const old = await push('lk-moving:1', 'old')
    await push('lk-still:1', 'still')
    context = await place.files({
      Dockerfile: `FROM ${registry}/lk-still:1 AS still\nFROM ${registry}/lk-moving:1\nCOPY --from=still /base /still\n`,
    })
    const unlocked = await buildIt()
    await lockIt()
    const same = await buildIt()
    expect([same.digest, same.steps.cached]).toEqual([unlocked.digest, same.steps.total])

    const renewed = await push('lk-moving:1', 'new')
    await buildFiles()
    expect(output('base')).toBe('old\n')
    await buildFiles({ lock: false })
    expect(output('base')).toBe('new\n')

    expect(await lockIt()).toMatchObject({ added: [], renewed: [], removed: [] })
    expect((await lockIt({ update: [`${registry}/lk-still`] })).renewed).toEqual([])
    expect(locked()[0]).toContain(old)
    expect((await lockIt({ update: [`${registry}/lk-moving`] })).renewed).toMatchObject([
      { before: { digest: old }, after: { digest: renewed } },
    ])
    await buildFiles()
    expect(output('base')).toBe('new\n')
    await expect(lockIt({ update: ['lk-moving'] })).rejects.toMatchObject({ code: 'LOCK_NAME_UNKNOWN' })
  })

  it('that are not locked are refused where that is asked for, and in CI', async () => {
    await push('lk-a:1', 'a')
    await push('lk-b:1', 'b')
    const CI = environment({ CI: 'true' })
    context = await place.files({ Dockerfile: `FROM ${registry}/lk-a:1\n` })
    expect((await refusal({ locked: true })).code).toBe('LOCK_MISSING')
    await buildIt({ env: CI })
    await lockIt()
    await place.files({ Dockerfile: `FROM ${registry}/lk-a:1\nCOPY --from=${registry}/lk-b:1 / /\n` })
    const message = `${registry}/lk-b:1 is not locked: tsbuild.lock has no entry for it`
    expect((await buildIt()).warnings.map((warning) => warning.message)).toEqual([message])
    for (const options of [{ locked: true }, { env: CI }]) {
      const error = await refusal(options)
      expect(error).toMatchObject({ code: 'LOCK_INCOMPLETE', message })
      expect(error.hint).toContain('run `tsbuild lock`')
      expect(error.at?.range.start.line).toBe(2)
    }
    await buildIt({ env: CI, locked: false })
    await buildIt({ env: CI, lock: false })
    await lockIt()
    expect((await buildIt({ locked: true })).warnings).toEqual([])
  })

  it('are taken from the store when their registry is gone, as without a lock file', async () => {
    const server = await TestRegistry.start({})
    try {
      await push('lk-gone:1', 'gone', server.host)
      context = await place.files({ Dockerfile: `FROM ${server.host}/lk-gone:1\nCOPY --from=empty / /\n` })
      const buildContexts = { empty: await place.files({}, 'empty') }
      await buildIt({ buildContexts })
      await lockIt({ buildContexts })
      await server[Symbol.asyncDispose]()
      const { warnings } = await buildIt({ buildContexts, locked: true })
      expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('using the stored')])
    } finally {
      await server[Symbol.asyncDispose]()
    }
  })

  it('keep the digest that the Dockerfile has', async () => {
    const digest = await push('lk-own:1', 'own')
    context = await place.files({ Dockerfile: `FROM ${registry}/lk-own:1@${digest}\n` })
    await lockIt()
    expect(locked()).toEqual([])
    writeFileSync(join(context, 'tsbuild.lock'), `image ${registry}/lk-own:1 ${sha256('another')}\n`)
    await buildFiles({ locked: true })
    expect(output('base')).toBe('own\n')
  })
})

describe('URLs', () => {
  it('are locked by what they gave, and nothing else is taken', async () => {
    context = await place.files({ Dockerfile: `FROM scratch\nADD ${url} /file\n` })
    const first = await buildIt()
    await lockIt()
    expect(locked()).toEqual([`http ${url} ${sha256('first')}`])
    const same = await buildIt()
    expect([same.digest, same.steps.cached]).toEqual([first.digest, same.steps.total])

    content = 'second'
    await buildFiles()
    expect(output('file')).toBe('first')
    const elsewhere = await refusal({ root: place.join('empty') })
    expect(elsewhere.message).toContain(`${sha256('second')} (expected: ${sha256('first')})`)
    expect(elsewhere.hint).toContain('tsbuild lock --update')
    expect(elsewhere.at?.range.start.line).toBe(2)
    await lockIt({ update: [url] })
    expect(locked()).toEqual([`http ${url} ${sha256('second')}`])
  })

  it('have no credentials in the lock file, and no entry when the Dockerfile has a checksum', async () => {
    const secret = url.replace('//', '//me:pass@')
    context = await place.files({
      Dockerfile: `FROM scratch\nADD ${secret} /a\nADD --checksum=${sha256('first')} ${url}/other /b\n`,
    })
    await lockIt()
    expect(locked()).toEqual([`http ${url} ${sha256('first')}`])
    await buildIt({ locked: true })
  })

  it('of named contexts are locked as well', async () => {
    context = await place.files({ Dockerfile: 'FROM scratch\nCOPY --from=named / /\n' })
    content = 'FROM scratch\n'
    const buildContexts = { named: url }
    await lockIt({ buildContexts })
    expect(locked()).toEqual([`http ${url} ${sha256(content)}`])
    await buildIt({ buildContexts, locked: true })
    content = 'FROM other\n'
    expect((await refusal({ buildContexts })).code).toBe('CHECKSUM_MISMATCH')
    writeFileSync(join(context, 'tsbuild.lock'), '')
    const error = await refusal({ buildContexts, locked: true })
    expect([error.code, error.at?.range.start.line]).toEqual(['LOCK_INCOMPLETE', 2])
  })
})

describe('the file', () => {
  it('has the name of the Dockerfile, or any', async () => {
    context = await place.files({ 'app.Dockerfile': `FROM scratch\nADD ${url} /\n` })
    const dockerfile = join(context, 'app.Dockerfile')
    await lockIt({ dockerfile })
    await buildIt({ dockerfile, locked: true })
    writeFileSync(`${dockerfile}.lock`, '')
    expect((await refusal({ dockerfile, locked: true })).hint).toContain('run `tsbuild lock -f app.Dockerfile`')
    await lockIt({ dockerfile, lock: place.join('mine') })
    await buildIt({ dockerfile, lock: place.join('mine'), locked: true })
    expect((await refusal({ dockerfile, lock: place.join('none') })).code).toBe('LOCK_MISSING')
    await expect(lockIt({ dockerfileText: 'FROM scratch\n' })).rejects.toMatchObject({ code: 'LOCK_NOWHERE' })
  })

  it.each([
    ['<<<<<<< ours', 'no line of the form', 3],
    ['image alpine 3.22 sha256:00', 'no line of the form', 3],
    ['git http://x/y.git#main sha256:00', 'no line of the form', 3],
    [`http u ${sha256('a')}\nhttp u ${sha256('b')}`, 'u is locked twice', 4],
  ])('with %j is refused, with the line', async (text, problem, line) => {
    context = await place.files({ Dockerfile: 'FROM scratch\n', 'tsbuild.lock': `# head\n\n${text}\n` })
    const error = await refusal()
    expect([error.code, error.message]).toEqual(['LOCK_INVALID', expect.stringContaining(problem)])
    expect([error.at?.file.name, error.at?.range.start.line]).toEqual(['tsbuild.lock', line])
  })

  it('is not written in a dry run, and nothing need be allowed for it', async () => {
    context = await place.files({
      Dockerfile: `FROM scratch\nADD ${url} /\nRUN --network=host --security=insecure x\n`,
    })
    const entry = { kind: 'http', source: url, digest: sha256('first') }
    const path = join(context, 'tsbuild.lock')
    const planned = await lockIt({ dryRun: true })
    expect(planned).toEqual({ path, entries: [entry], added: [entry], renewed: [], removed: [] })
    expect(existsSync(path)).toBe(false)
  })
})
