import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runMain } from './run.test-support.ts'

let dir: string
let server: Server
let url: string
let content = 'first'
const run = (...argv: string[]) => runMain(argv, { HOME: dir, TSBUILD_ROOT: join(dir, 'root') }, dir)

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tsbuild-lock-'))
  server = createServer((_, response) => response.end(content)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`
  await writeFile(join(dir, 'Dockerfile'), `FROM scratch\nADD ${url} /\n`)
})

afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await rm(dir, { recursive: true })
})

const digests = {
  first: 'sha256:a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e',
  second: 'sha256:16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4',
}

describe('lock', () => {
  it('says what changes, and fails a check as long as something would', async () => {
    const stale = { code: 1, stderr: expect.stringContaining('is not up to date') }
    expect(await run('lock', '--check')).toMatchObject({ ...stale, stdout: `+ http ${url} ${digests.first}\n` })
    expect(await run('--locked', '-q', dir)).toMatchObject({ code: 1 })
    expect(await run('lock', dir)).toMatchObject({
      code: 0,
      stdout: `+ http ${url} ${digests.first}\n`,
      stderr: `${dir}/tsbuild.lock: 1 locked, 1 new, 0 renewed, 0 removed\n`,
    })
    expect(await run('lock', '--check')).toMatchObject({ code: 0, stdout: '' })
    expect(await run('--locked', '-q', dir)).toMatchObject({ code: 0 })

    content = 'second'
    expect(await run('lock', '--check')).toMatchObject({ code: 0, stdout: '' })
    const renewal = `- http ${url} ${digests.first}\n+ http ${url} ${digests.second}\n`
    expect(await run('lock', '--check', '--update')).toMatchObject({ ...stale, stdout: renewal })
    expect(await run('lock', '--update', url)).toMatchObject({ code: 0, stdout: renewal })
    expect(await readFile(join(dir, 'tsbuild.lock'), 'utf8')).toBe(
      `# Made by tsbuild lock. What is locked here is what builds use.\nhttp ${url} ${digests.second}\n`,
    )
    const { stdout } = await run('lock', '--format', 'json')
    expect(JSON.parse(stdout)).toMatchObject({ entries: [{ kind: 'http', source: url }], added: [] })
  })

  it.each([
    [['lock', 'a', 'b'], 'takes one context'],
    [['lock', 'a', '--context', 'b'], 'the context is given twice'],
    [['build', '--locked', '--no-lock', '.'], 'cannot be used together'],
  ])('refuses %j', async (argv, problem) => {
    expect(await run(...argv)).toMatchObject({ code: 2, stderr: expect.stringContaining(problem) })
  })
})
