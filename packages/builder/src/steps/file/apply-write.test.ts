import { lstatSync, mkdirSync } from 'node:fs'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import type { ArchiveEntry } from '../../context/archive.ts'
import { listTree, makeTree, temporaryDirectory } from '../../context/fixture.test-support.ts'
import type { MkdirOp, WriteOp } from '../../graph/file-op.ts'
import { applyFileOps } from './apply.ts'
import { Spool } from './spool.ts'

const directory = temporaryDirectory()
afterAll(() => directory[Symbol.dispose]())

const notRoot = process.getuid?.() !== 0
let count = 0
let root: string
let context: string
beforeEach(() => {
  count++
  root = `${directory.path}/${count}/root`
  context = `${directory.path}/${count}/context`
  mkdirSync(root, { recursive: true })
  mkdirSync(context)
})

const signal = new AbortController().signal
const spool = new Spool('')
// biome-ignore lint/correctness/useYield: an archive that cannot be read
const readNothing = async function* (): AsyncGenerator<ArchiveEntry> {
  throw new Error('no archive is expected here')
}
const failing = (run: Promise<void>) =>
  run.then(
    () => 'it worked',
    (error: unknown) => error,
  )

describe.skipIf(notRoot)('WORKDIR and heredocs (needs root)', () => {
  const run = (...ops: (MkdirOp | WriteOp)[]) => applyFileOps(root, ops, { signal, readArchive: readNothing, spool })
  const mkdir: MkdirOp = { op: 'mkdir', path: '/', mode: 0o755, owner: undefined, mtime: undefined }
  const write: WriteOp = {
    op: 'write',
    dest: '/',
    name: 'f',
    content: { data: 'text' },
    mode: 0o644,
    chown: undefined,
    chmod: undefined,
    link: false,
    unpack: 'never',
    mtime: undefined,
  }

  it('makes missing directories for the user and leaves existing ones', async () => {
    makeTree(root, { 'a/': { mode: 0o700, owner: [9, 9], mtime: 5 }, l: { link: '/a' } })
    await run(
      { ...mkdir, path: '/l/b/c/', owner: { user: '3', group: undefined }, mtime: 77 },
      { ...mkdir, path: '/a' },
    )
    expect(listTree(root, { modes: true, owners: true })).toEqual([
      'a/ 700 9:9',
      'a/b/ 755 3:3',
      'a/b/c/ 755 3:3',
      'l -> /a 0:0',
    ])
    expect(lstatSync(`${root}/a/b`).mtimeMs).toBe(77_000)
  })

  it('refuses to make a directory of a file', async () => {
    makeTree(root, { a: '' })
    expect(await failing(run({ ...mkdir, path: '/a' }))).toMatchObject({ message: 'mkdir /a: not a directory' })
  })

  it('writes data', async () => {
    await run(
      { ...write, dest: '/a/' },
      { ...write, dest: '/b', mode: 0o600, mtime: 5, chown: { user: '3', group: '4' } },
    )
    expect(listTree(root, { modes: true, owners: true })).toEqual(['a/ 755 0:0', 'a/f=text 644 0:0', 'b=text 600 3:4'])
    expect(lstatSync(`${root}/b`).mtimeMs).toBe(5000)
    expect(Math.abs(lstatSync(`${root}/a/f`).mtimeMs - Date.now())).toBeLessThan(60_000)
  })

  it('writes a downloaded file', async () => {
    makeTree(context, { blob: 'body' })
    await run({ ...write, dest: '/a/', name: 'x.tar', content: { path: `${context}/blob` }, mode: 0o600, mtime: 9 })
    expect(listTree(root, { modes: true, times: true }).slice(1)).toEqual(['a/x.tar=body 600 @9'])
  })

  it('takes nothing but the last component of a name', async () => {
    await run({ ...write, dest: '/d/', name: '../../../../../../tmp/pwn' })
    expect(listTree(root)).toEqual(['d/', 'd/pwn=text'])
  })
})
