import { appendFileSync, lstatSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import type { ArchiveEntry } from '../../context/archive.ts'
import { type Fixture, listTree, makeTree, temporaryDirectory } from '../../context/fixture.test-support.ts'
import { openLocalContext, openRootTree } from '../../context/local.ts'
import type { CopyOp } from '../../graph/file-op.ts'
import { getXattr, listXattrs, setXattr } from '../../util/syscalls.ts'
import { applyFileOps } from './apply.ts'
import { select } from './select.ts'
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

const copyDefaults: CopyOp = {
  op: 'copy',
  dest: '/',
  selection: { patterns: ['.'], parents: false, exclude: [] },
  chown: undefined,
  chmod: undefined,
  keepOwner: false,
  link: false,
  unpack: 'never',
  mtime: undefined,
}

type CopyOptions = Partial<Omit<CopyOp, 'op' | 'dest' | 'selection'>> & { parents?: boolean; exclude?: string[] }

/** Runs `COPY sources dest` from `context` to `root`. */
async function copy(sources: string | string[], dest: string, options: CopyOptions = {}): Promise<void> {
  const { parents = false, exclude = [], ...rest } = options
  const patterns = typeof sources === 'string' ? [sources] : sources
  const op: CopyOp = { ...copyDefaults, ...rest, dest, selection: { patterns, parents, exclude } }
  const tree = rest.keepOwner ? openRootTree(context) : openLocalContext(context)
  await applyFileOps(root, [{ op, tree, entries: await select(tree, op.selection) }], {
    signal,
    readArchive: readNothing,
    spool,
  })
}

const failing = (run: Promise<void>) =>
  run.then(
    () => 'it worked',
    (error: unknown) => error,
  )

describe.skipIf(notRoot)('extended attributes (needs root)', () => {
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')
  const acl = Buffer.from(
    '0200000001000600ffffffff020004000700000004000400ffffffff10000400ffffffff20000400ffffffff',
    'hex',
  )
  const all = ['security.capability', 'system.posix_acl_access', 'user.a']

  beforeEach(() => {
    makeTree(context, { 'd/f': 'F', 'd/large': 'x'.repeat(1024 * 1024 + 1), 'd/s/': '' })
    for (const name of ['d', 'd/f', 'd/large', 'd/s']) setXattr(`${context}/${name}`, 'user.a', Buffer.from(name))
    for (const name of ['d/f', 'd/large']) {
      setXattr(`${context}/${name}`, 'security.capability', capability)
      setXattr(`${context}/${name}`, 'system.posix_acl_access', acl)
    }
    setXattr(`${context}/d/f`, 'trusted.overlay.opaque', Buffer.from('y'))
    setXattr(`${context}/d/f`, 'user.overlay.opaque', Buffer.from('y'))
  })

  it('of a root filesystem are kept, whoever gets the files', async () => {
    await copy('d', '/x', { keepOwner: true, chown: { user: '7', group: undefined } })
    for (const name of ['f', 'large']) {
      const path = `${root}/x/${name}`
      expect(listXattrs(path)).toEqual(all)
      expect(all.map((attribute) => getXattr(path, attribute))).toEqual([capability, acl, Buffer.from(`d/${name}`)])
      expect(statSync(path).uid).toBe(7)
    }
    expect(getXattr(`${root}/x/s`, 'user.a')?.toString()).toBe('d/s')
    // Of the source itself only the content is copied.
    expect(listXattrs(`${root}/x`)).toEqual([])
  })

  it('of a context stay on the machine', async () => {
    await copy('d', '/x')
    for (const name of ['f', 'large', 's']) expect(listXattrs(`${root}/x/${name}`)).toEqual([])
  })
})

describe.skipIf(notRoot)('COPY (needs root)', () => {
  const tree: Fixture = { f: 'F', g: 'G', 'd/x': 'X', 'd/s/y': 'Y' }

  it.each<[string, string | string[], string, Fixture, string[]]>([
    ['file to a name', 'f', '/new', {}, ['new=F']],
    ['file to a deep name', 'f', '/a/b/new', {}, ['a/', 'a/b/', 'a/b/new=F']],
    ['file to a new directory', 'f', '/a/b/', {}, ['a/', 'a/b/', 'a/b/f=F']],
    ['file to a new directory named with a dot', 'f', '/a/.', {}, ['a/', 'a/f=F']],
    ['file to an existing directory', 'f', '/a', { 'a/': '' }, ['a/', 'a/f=F']],
    ['file over a file', 'f', '/a', { a: 'old' }, ['a=F']],
    [
      'file over a link inside a directory',
      'f',
      '/a/',
      { 'a/f': { link: '../other' }, other: 'old' },
      ['a/', 'a/f=F', 'other=old'],
    ],
    ['directory to a new name', 'd', '/n', {}, ['n/', 'n/s/', 'n/s/y=Y', 'n/x=X']],
    ['directory merges', 'd', '/n/', { 'n/x': 'old', 'n/z': 'Z' }, ['n/', 'n/s/', 'n/s/y=Y', 'n/x=X', 'n/z=Z']],
    ['files and directories', ['f', 'd'], '/n/', {}, ['n/', 'n/f=F', 'n/s/', 'n/s/y=Y', 'n/x=X']],
    ['wildcard', ['?'], '/n/', {}, ['n/', 'n/f=F', 'n/g=G', 'n/s/', 'n/s/y=Y', 'n/x=X']],
    ['wildcard without a match', ['zz*'], '/n/', {}, []],
    ['destination above the root', 'f', '/../../n', {}, ['n=F']],
  ])('%s', async (_, sources, dest, image, want) => {
    makeTree(context, tree)
    makeTree(root, image)
    await copy(sources, dest)
    expect(listTree(root)).toEqual(want)
  })

  it.each<[string, string, Fixture, string[]]>([
    ['absolute', '/l/f', { l: { link: '/t' }, 't/': '' }, ['l -> /t', 't/', 't/f=F']],
    ['relative', '/l/f', { l: { link: 't' }, 't/': '' }, ['l -> t', 't/', 't/f=F']],
    ['that leads up', '/l/f', { l: { link: '../../../../../t' }, 't/': '' }, ['l -> ../../../../../t', 't/', 't/f=F']],
    ['to a file', '/l', { l: { link: '/etc/t' }, 'etc/t': 'old' }, ['etc/', 'etc/t=F', 'l -> /etc/t']],
    ['that dangles', '/l', { l: { link: '/etc/t' } }, ['etc/', 'etc/t=F', 'l -> /etc/t']],
    ['that dangles, as a directory', '/l/', { l: { link: 'x/t' } }, ['l -> x/t', 'x/', 'x/t/', 'x/t/f=F']],
    ['that dangles, below', '/l/s/', { l: { link: 'x' } }, ['l -> x', 'x/', 'x/s/', 'x/s/f=F']],
  ])('follows a link of the image %s', async (_, dest, image, want) => {
    makeTree(context, tree)
    makeTree(root, image)
    await copy('f', dest)
    expect(listTree(root)).toEqual(want)
  })

  it.each<[string, string, string, Fixture, object]>([
    [
      'directory over a file',
      'd',
      '/n',
      { n: '' },
      { code: 'COPY_NOT_DIRECTORY', message: 'cannot copy to non-directory: /n' },
    ],
    [
      'nested directory over a link',
      'd',
      '/n',
      { 'n/s': { link: '/etc' } },
      { message: 'cannot copy to non-directory: /n/s' },
    ],
    ['file over a directory', 'f', '/n/', { 'n/f/': '' }, { message: 'cannot replace to directory /n/f with file' }],
    [
      'file in the way',
      'f',
      '/n/x/',
      { n: '' },
      { code: 'COPY_FAILED', message: expect.stringContaining('not a directory') },
    ],
    [
      'endless links',
      'f',
      '/n/x',
      { n: { link: 'n' } },
      { code: 'COPY_FAILED', message: expect.stringContaining('too many') },
    ],
    ['name of a deletion', 'f', '/.wh.x', {}, { code: 'COPY_WHITEOUT_NAME' }],
    ['directory of such a name', 'f', '/.wh.d/x', {}, { code: 'COPY_WHITEOUT_NAME' }],
  ])('fails: %s', async (_, source, dest, image, want) => {
    makeTree(context, tree)
    makeTree(root, image)
    expect(await failing(copy(source, dest))).toMatchObject(want)
  })

  it('gives modes, owners and times as the reference does', async () => {
    makeTree(context, {
      'd/': { mode: 0o700, mtime: 1000 },
      'd/x': { text: 'X', mode: 0o4755, owner: [5, 6], mtime: 2000 },
      'd/s/': { mode: 0o1777, owner: [7, 8], mtime: 3000 },
      'd/l': { link: 'x', mtime: 4000 },
    })
    await copy('d', '/n')
    expect(statSync(`${root}/n`).mtimeMs).toBe(1_000_000)
    expect(listTree(root, { modes: true, owners: true, times: true })).toEqual([
      'n/ 755 0:0 @1000',
      'n/l -> x 0:0 @4000',
      'n/s/ 1777 0:0 @3000',
      'n/x=X 4755 0:0 @2000',
    ])
  })

  it('keeps owners of other stages', async () => {
    makeTree(context, {
      'd/x': { text: 'X', owner: [5, 6] },
      'd/s/': { owner: [7, 8] },
      'd/l': { link: 'x', owner: [9, 9] },
    })
    await copy('d', '/n/', { keepOwner: true })
    expect(listTree(root, { owners: true })).toEqual(['n/ 0:0', 'n/l -> x 9:9', 'n/s/ 7:8', 'n/x=X 5:6'])
  })

  it('lets an existing destination as it is, but not what is in it', async () => {
    makeTree(context, { 'd/s/x': 'X', 'd/s/': { mode: 0o750 } })
    makeTree(root, { 'n/s/': { mode: 0o700, owner: [1, 1] }, 'n/': { mode: 0o711, owner: [2, 2] } })
    await copy('d', '/n', { chown: { user: '3', group: '4' }, chmod: '0640' })
    expect(listTree(root, { modes: true, owners: true })).toEqual(['n/ 711 2:2', 'n/s/ 640 3:4', 'n/s/x=X 640 3:4'])
  })

  it('gives made parents the owner and the octal mode, but no symbolic one', async () => {
    makeTree(context, { f: 'F' })
    await copy('f', '/a/b/', { chown: { user: '3', group: undefined }, chmod: '770' })
    await copy('f', '/c/', { chmod: 'go+w' })
    await copy('f', '/e/', { chmod: '4711' })
    expect(listTree(root, { modes: true, owners: true })).toEqual([
      'a/ 770 3:3',
      'a/b/ 770 3:3',
      'a/b/f=F 770 3:3',
      'c/ 755 0:0',
      'c/f=F 666 0:0',
      'e/ 711 0:0',
      'e/f=F 4711 0:0',
    ])
  })

  it('gives made parents the time of the operation', async () => {
    makeTree(context, { f: { text: 'F', mtime: 5 } })
    await copy('f', '/a/b/', { mtime: 77 })
    expect(listTree(root, { times: true })).toEqual(['a/ @77', 'a/b/ @77', 'a/b/f=F @5'])
  })

  it('gives files their own group below directories with a setgid bit', async () => {
    makeTree(context, { f: 'F', 'd/x': 'X', 'd/s/y': 'Y' })
    makeTree(root, { 'n/': { mode: 0o2775, owner: [0, 50] } })
    await copy('f', '/n/')
    await copy('d', '/n/m')
    expect(listTree(root, { modes: true, owners: true })).toEqual([
      'n/ 2775 0:50',
      'n/f=F 644 0:0',
      'n/m/ 2755 0:50',
      'n/m/s/ 755 0:0',
      'n/m/s/y=Y 644 0:0',
      'n/m/x=X 644 0:0',
    ])
  })

  it('applies symbolic modes to each entry', async () => {
    makeTree(context, { 'd/x': { text: '', mode: 0o600 }, 'd/y': { text: '', mode: 0o700 }, 'd/s/': { mode: 0o700 } })
    await copy('d', '/n', { chmod: 'u=rwX,go=rX' })
    expect(listTree(`${root}/n`, { modes: true })).toEqual(['s/ 755', 'x= 644', 'y= 755'])
  })

  it('keeps hard links within one source, not across', async () => {
    makeTree(context, { 'd/a': 'A', 'd/s/b': { hard: 'd/a' }, c: { hard: 'd/a' } })
    await copy(['d', 'c'], '/n/')
    expect(listTree(root)).toEqual(['n/', 'n/a=A', 'n/c=A', 'n/s/', 'n/s/b == n/a'])
  })

  it('makes parents of --parents with their modes, once', async () => {
    makeTree(context, { 'a/b/f': 'F', 'a/b/g': 'G', 'a/b/': { mode: 0o750 }, 'a/': { mode: 0o711 } })
    makeTree(root, { 'n/a/': { mode: 0o700, owner: [9, 9] } })
    await copy('a/b/*', '/n/', { parents: true, chown: { user: '3', group: '4' } })
    expect(listTree(root, { modes: true, owners: true })).toEqual([
      'n/ 755 0:0',
      'n/a/ 711 9:9',
      'n/a/b/ 750 3:4',
      'n/a/b/f=F 644 3:4',
      'n/a/b/g=G 644 3:4',
    ])
  })

  it('makes the destination of --parents even if nothing matches', async () => {
    makeTree(context, { f: 'F' })
    await copy('zz*', '/n/', { parents: true })
    expect(listTree(root)).toEqual(['n/'])
  })

  it('leaves an empty directory if everything is excluded', async () => {
    makeTree(context, { 'd/f': 'F' })
    await copy('d', '/n', { exclude: ['*'] })
    expect(listTree(root)).toEqual(['n/'])
  })

  it('copies large files, names that are not UTF-8, empty files', async () => {
    const raw = `raw${String.fromCharCode(0xdcff)}`
    makeTree(context, { big: { text: 'b'.repeat(3_000_000), mode: 0o640 }, [raw]: 'R', none: '' })
    makeTree(root, { 'n/big': { link: '/etc/shadow' } })
    await copy('.', '/n')
    expect(listTree(root)).toEqual(['n/', `n/big=${'b'.repeat(3_000_000)}`, 'n/none=', `n/${raw}=R`])
    expect(lstatSync(`${root}/n/big`).mode & 0o7777).toBe(0o640)
  })

  it('keeps nanoseconds of times', async () => {
    makeTree(context, { f: 'F' })
    const { mtimeNs } = lstatSync(`${context}/f`, { bigint: true })
    await copy('f', '/f')
    expect(lstatSync(`${root}/f`, { bigint: true }).mtimeNs).toBe(mtimeNs)
  })

  it('notices files that changed since they were selected', async () => {
    makeTree(context, { 'd/f': 'F' })
    const tree = openLocalContext(context)
    const op: CopyOp = { ...copyDefaults, selection: { patterns: ['d'], parents: false, exclude: [] } }
    const entries = await select(tree, op.selection)
    const options = { signal, readArchive: readNothing, spool }
    makeTree(context, { 'd/f': 'other' })
    const want = { code: 'CONTEXT_CHANGED', message: '/d/f changed during the build' }
    expect(await failing(applyFileOps(root, [{ op, tree, entries }], options))).toMatchObject(want)
  })

  it('looks owners up where it is told to', async () => {
    makeTree(context, { f: '' })
    const accounts = makeTree(`${root}/../accounts`, { 'etc/passwd': 'app:x:1000:1001::/:\n' })
    const tree = openLocalContext(context)
    const op: CopyOp = {
      ...copyDefaults,
      dest: '/f',
      selection: { patterns: ['f'], parents: false, exclude: [] },
      chown: { user: 'app', group: undefined },
    }
    const entries = await select(tree, op.selection)
    await applyFileOps(root, [{ op, tree, entries }], { signal, readArchive: readNothing, spool, accounts })
    expect(lstatSync(`${root}/f`).uid).toBe(1000)
  })
})

describe.skipIf(notRoot)('links of the image (needs root)', () => {
  it('cannot be used to write outside of the root', async () => {
    makeTree(context, { f: 'F', 'd/f': 'F' })
    makeTree(`${directory.path}/${count}/outside`, { secret: 'S' })
    const up = '../../../../../../../../../../../../../../..'
    makeTree(root, {
      abs: { link: `${directory.path}/${count}/outside` },
      rel: { link: '../outside' },
      far: { link: `${up}${directory.path}/${count}/outside` },
      file: { link: '../outside/secret' },
    })
    for (const dest of ['/abs/p', '/rel/p', '/far/p', '/abs/', '/rel/', '/far/', '/file', '/abs/../../p', `${up}/p`]) {
      await copy('f', dest)
      await copy('d', dest.endsWith('/') ? dest : `${dest}d`)
    }
    expect(listTree(`${directory.path}/${count}/outside`)).toEqual(['secret=S'])
    expect(listTree(`${directory.path}/${count}`).filter((line) => !/^(root|context)\//.test(line))).toEqual([
      'outside/',
      'outside/secret=S',
    ])
  })
})

it.skipIf(notRoot)(
  'an archive that changes while it is unpacked is an error, whatever of it was read (needs root)',
  async () => {
    writeFileSync(`${context}/a.tar`, gzipSync('it looks like an archive'))
    const tree = openLocalContext(context)
    const op: CopyOp = {
      ...copyDefaults,
      selection: { ...copyDefaults.selection, patterns: ['a.tar'] },
      unpack: 'always',
    }
    const readArchive = async function* (): AsyncGenerator<ArchiveEntry> {
      const entry = { mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 1, type: 'directory' } as const
      yield { ...entry, path: 'one', content: (async function* () {})() }
      appendFileSync(`${context}/a.tar`, 'more')
      yield { ...entry, path: 'two', content: (async function* () {})() }
    }
    const error = await failing(
      applyFileOps(root, [{ op, tree, entries: await select(tree, op.selection) }], { signal, readArchive, spool }),
    )
    expect(error).toMatchObject({ code: 'CONTEXT_CHANGED' })
  },
)
