import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { RegistryClient } from '@tsbuild/registry-client'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { piecesOf } from '../util/content.ts'
import type { ArchiveEntry } from './archive.ts'
import { listTree, makeTree, temporaryDirectory } from './fixture.test-support.ts'
import { fetchContext, isRemoteContext, openRemoteContext, type RemoteServices } from './remote.ts'

const temporary = temporaryDirectory()
const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close()
  temporary[Symbol.dispose]()
})

let directory: string
let count = 0
beforeEach(() => {
  directory = `${temporary.path}/${count++}`
  mkdirSync(directory)
})

type Row = Partial<Omit<ArchiveEntry, 'content'>> & { path: string; text?: string }

/** A reader that finds `rows` in every archive. */
function reading(rows: readonly Row[]): RemoteServices['readArchive'] {
  return async function* (input) {
    for await (const _ of input) break
    for (const { text = '', ...row } of rows) {
      const type = row.type ?? (row.path.endsWith('/') ? 'directory' : row.linkname === undefined ? 'file' : 'symlink')
      const content = Readable.from([Buffer.from(text)])
      yield {
        mode: type === 'directory' ? 0o755 : 0o644,
        uid: 0,
        gid: 0,
        size: text.length,
        mtime: 100,
        ...row,
        type,
        content,
      }
    }
  }
}

const signal = new AbortController().signal
const client = new RegistryClient({ credentials: false, env: {} })
afterAll(() => client.close())

const fetched = (context: string, rest: Partial<RemoteServices>) =>
  fetchContext(context, { client, directory, env: process.env, signal, readArchive: reading([]), ...rest })

/** The bytes of some tar archive. */
function someTar(): Buffer {
  makeTree(`${directory}/in`, { f: 'F' })
  execFileSync('tar', ['-cf', `${directory}/some.tar`, '-C', `${directory}/in`, 'f'])
  return readFileSync(`${directory}/some.tar`)
}

it.each([
  ['-', true],
  ['https://example.com/x.tar.gz', true],
  ['http://example.com/Dockerfile', true],
  ['https://example.com/x.git#main', true],
  ['git@example.com:x/y', true],
  ['github.com/user/repo', true],
  ['.', false],
  ['/abs', false],
  ['https', false],
  ['dir.git', false],
])('isRemoteContext %s: %s', (context, want) => expect(isRemoteContext(context)).toBe(want))

describe('standard input', () => {
  it('may be a Dockerfile', async () => {
    const stdin = Readable.from(['FROM scratch\n', 'COPY a /'])
    const context = await fetched('-', { stdin })
    expect(context.dockerfile).toBe('FROM scratch\nCOPY a /')
    expect(openRemoteContext(context).lstat('a')).toBeUndefined()
  })

  it('may be empty', async () => {
    expect((await fetched('-', { stdin: Readable.from([]) })).dockerfile).toBe('')
  })

  it('may be an archive, which keeps modes and owners', async () => {
    const readArchive = reading([
      { path: './' },
      { path: 'Dockerfile', text: 'FROM scratch' },
      { path: '.dockerignore', text: '*' },
      { path: 'd/', mode: 0o2700, uid: 5, gid: 6 },
      { path: 'd/f', text: 'F', mode: 0o4000, uid: 7, gid: 8, mtime: 2000 },
      { path: 'p/l', linkname: '../../../etc/passwd', uid: 9, gid: 9 },
      { path: 'p/h', type: 'hardlink', linkname: 'd/f', mode: 0o4000, uid: 7, gid: 8, mtime: 2000 },
      { path: 'dev', type: 'char' },
    ])
    const context = await fetched('-', { stdin: Readable.from([someTar()]), readArchive })
    expect(context).toMatchObject({ time: 2000 })
    expect(context.dockerfile).toBeUndefined()
    expect(listTree(context.directory)).toEqual([
      '.dockerignore=*',
      'Dockerfile=FROM scratch',
      'd/',
      'd/f=F',
      'p/',
      'p/h == d/f',
      'p/l -> ../../../etc/passwd',
    ])
    const tree = openRemoteContext(context)
    expect(tree.lstat('d')).toMatchObject({ mode: 0o2700, uid: 5, gid: 6 })
    expect(tree.lstat('d/f')).toMatchObject({ mode: 0o4000, uid: 7, gid: 8, mtimeNs: 2_000_000_000_000n, nlink: 2 })
    expect(tree.lstat('p')).toMatchObject({ mode: 0o755, uid: 0, gid: 0 })
    expect(tree.lstat('p/l')).toMatchObject({ type: 'symlink', uid: 9, gid: 9 })
    expect(Buffer.concat([...piecesOf(tree.content('d/f', tree.lstat('d/f')!), 1)]).toString()).toBe('F')
  })

  it.each<[string, Row[]]>([
    ['names that lead out', [{ path: '../x', text: 'X' }]],
    ['hard links that lead out', [{ path: 'h', type: 'hardlink', linkname: '../../some.tar' }]],
  ])('may not have %s', async (_, rows) => {
    const run = fetched('-', { stdin: Readable.from([someTar()]), readArchive: reading(rows) })
    await expect(run).rejects.toMatchObject({ code: 'CONTEXT_ARCHIVE_INVALID' })
  })

  const outside = () =>
    listTree(directory)
      .filter((line) => /^[^/]*=/.test(line))
      .map((line) => line.split('=')[0])

  it('is unpacked inside of its directory where its links lead up', async () => {
    const rows = [
      { path: 'l', linkname: '..' },
      { path: 'l/x', text: 'X' },
    ]
    const context = await fetched('-', { stdin: Readable.from([someTar()]), readArchive: reading(rows) })
    expect(outside()).toEqual(['some.tar'])
    expect(listTree(context.directory)).toContain('x=X')
  })

  it('is not unpacked through a link to what it does not hold', async () => {
    const rows = [
      { path: 'a', linkname: temporary.path },
      { path: 'a/y', text: 'Y' },
    ]
    const run = fetched('-', { stdin: Readable.from([someTar()]), readArchive: reading(rows) })
    await expect(run).rejects.toMatchObject({ code: 'CONTEXT_ARCHIVE_INVALID' })
    expect(outside()).toEqual(['some.tar'])
    expect(listTree(temporary.path).filter((line) => line.startsWith('y'))).toEqual([])
  })

  it('has to be there', async () => {
    await expect(fetched('-', {})).rejects.toMatchObject({ code: 'STDIN_MISSING' })
  })
})

describe('URLs', () => {
  async function serve(body: Buffer | string): Promise<string> {
    const server = createServer((_, response) => {
      response.writeHead(200, { 'last-modified': 'Thu, 01 Jan 1970 01:00:00 GMT' }).end(body)
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`
  }

  it('may lead to a Dockerfile', async () => {
    expect(await fetched(await serve('FROM scratch\n'), {})).toMatchObject({ dockerfile: 'FROM scratch\n', time: 3600 })
  })

  it('may lead to an archive', async () => {
    const context = await fetched(await serve(someTar()), {
      readArchive: reading([{ path: 'f', text: 'F', mtime: 77 }]),
    })
    expect(listTree(context.directory)).toEqual(['f=F'])
    expect(context.time).toBe(77)
  })
})
