import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import type { ArchiveEntry } from '../../context/archive.ts'
import { type Fixture, listTree, makeTree, temporaryDirectory } from '../../context/fixture.test-support.ts'
import { Draft } from './draft.ts'
import type { Ids } from './owner.ts'
import { openRootDirectory } from './root-directory.ts'
import { Spool } from './spool.ts'
import { openArchive, unpack } from './unpack.ts'
import { writeDraft } from './write-draft.ts'

const directory = temporaryDirectory()
afterAll(() => directory[Symbol.dispose]())

const notRoot = process.getuid?.() !== 0
const signal = new AbortController().signal
let count = 0
let root: string
beforeEach(() => {
  root = `${directory.path}/${count++}/root`
  mkdirSync(root, { recursive: true })
})

type Row = Partial<Omit<ArchiveEntry, 'content'>> & { path: string; text?: string }

async function* archive(rows: readonly Row[]): AsyncGenerator<ArchiveEntry> {
  for (const { text = '', ...row } of rows) {
    const type = row.type ?? (row.path.endsWith('/') ? 'directory' : row.linkname === undefined ? 'file' : 'symlink')
    const mode = type === 'directory' ? 0o755 : 0o644
    const content = (async function* () {
      yield Buffer.from(text)
    })()
    yield { mode, uid: 0, gid: 0, size: text.length, mtime: 100, ...row, type, content }
  }
}

async function unpackAll(rows: readonly Row[], into: string, owner: Ids | undefined): Promise<void> {
  const draft = new Draft(openRootDirectory(root), BigInt(Date.now()) * 1_000_000n)
  using spool = new Spool(`${root}.spool`)
  const place = into.slice(root.length + 1)
  await unpack(archive(rows), draft, { into: place, owner, name: 'e.tar', spool, signal })
  await writeDraft(draft, root, { signal })
}

const run = (rows: readonly Row[], into = root, owner?: Ids) =>
  unpackAll(rows, into, owner).then(
    () => 'it worked',
    (error: unknown) => error,
  )

describe.skipIf(notRoot)('unpacking an archive (needs root)', () => {
  it.each<[string, Fixture, Row[], string[]]>([
    ['files and directories', {}, [{ path: './' }, { path: './d/' }, { path: './d/f', text: 'F' }], ['d/', 'd/f=F']],
    ['parents that are not listed', {}, [{ path: 'a/b/f', text: 'F' }], ['a/', 'a/b/', 'a/b/f=F']],
    [
      'absolute names',
      {},
      [
        { path: '/f', text: 'F' },
        { path: '//g', text: 'G' },
      ],
      ['f=F', 'g=G'],
    ],
    [
      'links',
      {},
      [
        { path: 'f', text: 'F' },
        { path: 's', linkname: '/etc/x' },
        { path: 'h', type: 'hardlink', linkname: 'f' },
      ],
      ['f=F', 'h == f', 's -> /etc/x'],
    ],
    [
      'hard link to a link',
      {},
      [
        { path: 's', linkname: 'x' },
        { path: 'h', type: 'hardlink', linkname: './s' },
      ],
      ['h -> x', 's -> x'],
    ],
    ['over a directory', { 'f/x': '' }, [{ path: 'f', text: 'F' }], ['f=F']],
    ['over a file', { f: '' }, [{ path: 'f/' }, { path: 'f/x', text: 'X' }], ['f/', 'f/x=X']],
    ['over a link', { f: { link: 'g' }, g: 'G' }, [{ path: 'f', text: 'F' }], ['f=F', 'g=G']],
    ['into a directory', { 'd/x': 'X' }, [{ path: 'd/' }, { path: 'd/y', text: 'Y' }], ['d/', 'd/x=X', 'd/y=Y']],
    [
      'through a link of the image',
      { l: { link: '/t' }, 't/': '' },
      [{ path: 'l/f', text: 'F' }],
      ['l -> /t', 't/', 't/f=F'],
    ],
    [
      'below what a link of its own shows',
      {},
      [{ path: 'real/' }, { path: 'l', linkname: '/real' }, { path: 'l/new/f', text: 'F' }],
      ['l -> /real', 'real/', 'real/new/', 'real/new/f=F'],
    ],
    [
      'through a link of its own',
      {},
      [
        { path: 'l', linkname: '../../..' },
        { path: 'l/f', text: 'F' },
      ],
      ['f=F', 'l -> ../../..'],
    ],
    [
      'no devices and fifos',
      { f: 'kept' },
      [
        { path: 'f', type: 'char' },
        { path: 'b', type: 'block' },
        { path: 'p', type: 'fifo' },
      ],
      ['f=kept'],
    ],
    [
      'the same name twice',
      {},
      [
        { path: 'f', text: '1' },
        { path: 'f', text: '2' },
      ],
      ['f=2'],
    ],
  ])('%s', async (_, image, rows, want) => {
    makeTree(root, image)
    expect(await run(rows)).toBe('it worked')
    expect(listTree(root)).toEqual(want)
  })

  it('keeps modes, owners and times; parents belong to root', async () => {
    await run([
      { path: 'd/', mode: 0o2750, uid: 1, gid: 2, mtime: 1000 },
      { path: 'd/f', text: 'F', mode: 0o4755, uid: 3, gid: 4, mtime: 2000.5 },
      { path: 'd/l', linkname: 'f', uid: 5, gid: 6, mtime: 3000 },
      { path: 'p/f', uid: 7, gid: 8, mtime: -5 },
    ])
    expect(lstatSync(`${root}/p`).mode & 0o7777).toBe(0o755)
    expect(
      listTree(root, { modes: true, owners: true, times: true }).filter((line) => !line.startsWith('p/ ')),
    ).toEqual(['d/ 2750 1:2 @1000', 'd/f=F 4755 3:4 @2000', 'd/l -> f 5:6 @3000', 'p/f= 644 7:8 @0'])
    expect(lstatSync(`${root}/d/f`).mtimeMs).toBe(2000_500)
  })

  it('gives everything in it to another owner', async () => {
    await run([{ path: 'd/' }, { path: 'd/f', uid: 3, gid: 4 }, { path: 'p/l', linkname: 'f' }], root, {
      uid: 8,
      gid: 9,
    })
    expect(listTree(root, { owners: true })).toEqual(['d/ 8:9', 'd/f= 8:9', 'p/ 0:0', 'p/l -> f 8:9'])
  })

  it('takes the destination for the root of the archive', async () => {
    makeTree(root, { 'd/x/': '', 'd/l': { link: '/x' }, 'd/up': { link: '../..' } })
    await run(
      [
        { path: 'l/f', text: 'F' },
        { path: 'up/g', text: 'G' },
      ],
      `${root}/d`,
    )
    expect(listTree(root)).toEqual(['d/', 'd/g=G', 'd/l -> /x', 'd/up -> ../..', 'd/x/', 'd/x/f=F'])
  })

  it.each<[string, Row[], object]>([
    ['..', [{ path: '../x' }], { code: 'ADD_ARCHIVE_INVALID' }],
    ['.. inside', [{ path: 'a/../../x' }], { code: 'ADD_ARCHIVE_INVALID' }],
    ['a hard link to nothing', [{ path: 'h', type: 'hardlink', linkname: 'nope' }], { code: 'ADD_ARCHIVE_INVALID' }],
    [
      'a hard link to outside',
      [{ path: 'h', type: 'hardlink', linkname: '../../etc/passwd' }],
      { code: 'ADD_ARCHIVE_INVALID' },
    ],
    [
      'a hard link to a directory',
      [{ path: 'd/' }, { path: 'h', type: 'hardlink', linkname: 'd' }],
      { code: 'ADD_ARCHIVE_INVALID' },
    ],
    ...['/out/real', '../../t', 'real/../t', 'other'].flatMap((linkname) =>
      ['l/f', 'l/d/', 'l/d/f'].map((path): [string, Row[], object] => [
        `${path} through a link to ${linkname}, which is not there`,
        [{ path: 'real/' }, { path: 'other', linkname: 'nowhere' }, { path: 'l', linkname }, { path }],
        { code: 'ADD_ARCHIVE_INVALID', message: expect.stringContaining('no such file or directory') },
      ]),
    ),
    ['a file as a directory', [{ path: 'f' }, { path: 'f/x' }], { message: expect.stringContaining('ENOTDIR') }],
    [
      'deletions',
      [{ path: 'd/.wh.foo' }],
      { code: 'COPY_WHITEOUT_NAME', message: expect.stringContaining('/d/.wh.foo') },
    ],
    ['deletions of everything', [{ path: '.wh..wh..opq' }], { code: 'COPY_WHITEOUT_NAME' }],
    ['ids out of range', [{ path: 'f', uid: 4294967295 }], { code: 'ADD_ARCHIVE_INVALID' }],
  ])('refuses %s', async (_, rows, want) => {
    expect(await run(rows)).toMatchObject(want)
    expect(listTree(directory.path).filter((line) => /passwd|^x/.test(line))).toEqual([])
  })
})

describe('finding archives among files', () => {
  const first: ArchiveEntry = {
    path: 'f',
    type: 'file',
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 0,
    content: (async function* () {})(),
  }
  const readOne = async function* (input: AsyncIterable<Uint8Array>): AsyncGenerator<ArchiveEntry> {
    for await (const chunk of input) {
      if (Buffer.from(chunk).includes('broken')) throw new Error('broken')
      break
    }
    yield first
  }
  const isArchive = async (content: Buffer | string) => {
    const path = `${directory.path}/candidate`
    writeFileSync(path, content)
    const file = { open: () => openSync(path, 'r'), changed: () => new Error('changed') }
    const entries = await openArchive(file, statSync(path).size, readOne, signal)
    const got = await entries?.next()
    await entries?.return(undefined)
    return got?.value === first
  }

  it('looks at the content', async () => {
    makeTree(`${directory.path}/in`, { f: 'F' })
    execFileSync('tar', ['-cf', `${directory.path}/t.tar`, '-C', `${directory.path}/in`, 'f'])
    const tar = readFileSync(`${directory.path}/t.tar`)
    expect(await isArchive(tar)).toBe(true)
    expect(await isArchive(gzipSync(tar))).toBe(true)
    expect(await isArchive(Buffer.from('BZh91AY'))).toBe(true)
    expect(await isArchive('')).toBe(false)
    expect(await isArchive('text')).toBe(false)
    expect(await isArchive(Buffer.alloc(1024))).toBe(false)
    expect(await isArchive(Buffer.concat([Buffer.from('x'), tar]))).toBe(false)
    expect(await isArchive(tar.subarray(0, 511))).toBe(false)
  })

  it('takes compressed files that hold no archive for files', async () => {
    expect(await isArchive(Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.from('broken')]))).toBe(false)
  })
})
