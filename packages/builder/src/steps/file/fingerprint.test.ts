import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { type Fixture, makeTree, temporaryDirectory } from '../../context/fixture.test-support.ts'
import { openLocalContext, openRootTree } from '../../context/local.ts'

import { makeNode, NODE_TYPE, setXattr } from '../../util/syscalls.ts'
import { readEntries, writeEntries } from './entries-file.ts'
import { type FingerprintOptions, fingerprint, isSettled } from './fingerprint.ts'
import { type SelectedEntry, select } from './select.ts'

const directory = temporaryDirectory()
afterAll(() => directory[Symbol.dispose]())

let root: string
let count = 0
beforeEach(() => {
  root = `${directory.path}/${count++}`
})

const base: Fixture = { 'd/a': 'A', 'd/s/b': 'B', 'd/l': { link: 'a' }, 'd/h': { hard: 'd/a' }, f: 'F' }

async function digest(pattern: string, options: FingerprintOptions = {}): Promise<string> {
  const tree = openLocalContext(root)
  return await fingerprint(tree, await select(tree, { patterns: [pattern], parents: false, exclude: [] }), options)
}

describe('fingerprint', () => {
  const later = new Date(5000)
  it.each<[string, string, boolean, () => void]>([
    ['a touched file', 'd', true, () => utimesSync(`${root}/d/a`, later, later)],
    ['the same content again', 'd', true, () => writeFileSync(`${root}/d/s/b`, 'B')],
    ['another file', 'd', true, () => writeFileSync(`${root}/f`, 'other')],
    ['the mode of the source directory', 'd', true, () => chmodSync(`${root}/d`, 0o700)],
    ['content', 'd', false, () => writeFileSync(`${root}/d/s/b`, 'C')],
    ['a mode', 'd', false, () => chmodSync(`${root}/d/s/b`, 0o600)],
    ['the mode of a directory inside', 'd', false, () => chmodSync(`${root}/d/s`, 0o700)],
    ['a name', 'd', false, () => renameSync(`${root}/d/s/b`, `${root}/d/s/c`)],
    ['a new file', 'd', false, () => writeFileSync(`${root}/d/z`, '')],
    ['a link target', 'd', false, () => makeTree(root, { 'd/l2': { link: 'b' } })],
    ['a name behind a wildcard', 'f*', false, () => renameSync(`${root}/f`, `${root}/fx`)],
    [
      'a hard link that became a file',
      'd',
      false,
      () => {
        rmSync(`${root}/d/h`)
        writeFileSync(`${root}/d/h`, 'A', { mode: 0o644 })
      },
    ],
  ])('%s', async (_, pattern, same, change) => {
    makeTree(root, base)
    const before = await digest(pattern)
    change()
    expect((await digest(pattern)) === before).toBe(same)
  })

  it('is the same for equal trees anywhere, and in links to them', async () => {
    makeTree(root, { ...base, link: { link: 'd' } })
    const first = await digest('d')
    expect(await digest('link')).toBe(first)
    root = `${directory.path}/${count++}`
    makeTree(root, base)
    expect(await digest('d')).toBe(first)
    expect(first).toMatch(/^[0-9a-f]{64}$/)
  })

  it('counts owners on request', async () => {
    makeTree(root, base)
    expect(await digest('d', { owners: true })).not.toBe(await digest('d'))
  })

  it('reads nothing that the stat cache knows, and keeps fresh files out of it', async () => {
    makeTree(root, base)
    const known = new Map<string, string>()
    const statCache = {
      get: (key: string) => known.get(key),
      set: (key: string, value: string) => void known.set(key, value),
    }
    const fresh = await digest('d', { statCache, now: Date.now() - 60_000 })
    expect(known.size).toBe(0)
    const now = Date.now() + 60_000
    expect(await digest('d', { statCache, now })).toBe(fresh)
    expect(known.size).toBe(2)
    for (const key of known.keys()) known.set(key, 'what the cache says')
    expect(await digest('d', { statCache, now })).not.toBe(fresh)
  })

  it.each([
    [5_900_000_001n, 6_000_000_000n, false],
    [5_899_999_999n, 6_000_000_000n, true],
    // As of a file system that knows seconds only, or two of them.
    [4_000_000_000n, 6_000_000_000n, false],
    [4_000_000_000n, 6_200_000_000n, true],
  ])('an inode of %d is settled at %d: %s', (ctime, now, settled) => expect(isSettled(ctime, now)).toBe(settled))

  it('reads files of any size', async () => {
    makeTree(root, { f: 'x'.repeat(256 * 1024), g: 'y'.repeat(1_000_000) })
    const digests = await Promise.all([digest('f'), digest('g')])
    writeFileSync(`${root}/g`, `${'y'.repeat(999_999)}z`)
    expect(await digest('g')).not.toBe(digests[1])
    expect(await digest('f')).toBe(digests[0])
  })

  it('fails for files that changed after they were selected', async () => {
    makeTree(root, base)
    const tree = openLocalContext(root)
    const entries = await select(tree, { patterns: ['.'], parents: false, exclude: [] })
    writeFileSync(`${root}/f`, 'longer')
    await expect(fingerprint(tree, entries)).rejects.toMatchObject({
      code: 'CONTEXT_CHANGED',
      message: '/f changed during the build',
    })
    rmSync(`${root}/f`)
    makeTree(root, { f: { link: '/etc/passwd' } })
    await expect(fingerprint(tree, entries)).rejects.toMatchObject({ code: 'CONTEXT_CHANGED' })
  })
})

/** cap_net_raw+ep as the kernel stores it. */
const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex')
/** user::rw-, user:7:r--, group::r--, mask::r--, other::r-- */
const ACL = Buffer.from(
  '0200000001000600ffffffff020004000700000004000400ffffffff10000400ffffffff20000400ffffffff',
  'hex',
)
const isRoot = process.getuid?.() === 0

// All that a layer or a later step can tell two files apart by, but for times: those count nowhere in the reference.
describe.skipIf(!isRoot)('the fingerprint of files of a root filesystem (needs root)', () => {
  const at = (path: string) => `${root}/d/${path}`
  const remade = (path: string, make: (path: string) => void) => () => {
    rmSync(at(path), { recursive: true })
    make(at(path))
  }
  async function fingerprints(change: () => void): Promise<[rootfs: boolean, context: boolean]> {
    makeTree(root, { 'd/f': 'F', 'd/s/b': 'B', 'd/l': { link: 'f' } })
    makeNode(at('dev'), NODE_TYPE.char | 0o600, { major: 1, minor: 3 })
    makeNode(at('pipe'), NODE_TYPE.fifo | 0o600, { major: 0, minor: 0 })
    linkSync(at('f'), at('hard'))
    const both = async () => {
      const selection = { patterns: ['d'], parents: false, exclude: [] }
      const [rootfs, context] = [openRootTree(root), openLocalContext(root)]
      return [
        await fingerprint(rootfs, await select(rootfs, selection), { owners: true }),
        await fingerprint(context, await select(context, selection), { owners: true }),
      ]
    }
    const before = await both()
    change()
    const after = await both()
    return [after[0] !== before[0], after[1] !== before[1]]
  }

  it.each<[string, () => void]>([
    ['content', () => writeFileSync(at('f'), 'G')],
    ['mode', () => chmodSync(at('f'), 0o600)],
    ['setuid', () => chmodSync(at('f'), 0o4644)],
    ['setgid of a directory', () => chmodSync(at('s'), 0o2755)],
    ['sticky bit of a directory', () => chmodSync(at('s'), 0o1755)],
    ['mode of a fifo', () => chmodSync(at('pipe'), 0o644)],
    ['name', () => renameSync(at('f'), at('g'))],
    ['place', () => renameSync(at('s/b'), at('b'))],
    ['link target', remade('l', (path) => symlinkSync('s/b', path))],
    ['minor number', remade('dev', (path) => makeNode(path, NODE_TYPE.char | 0o600, { major: 1, minor: 5 }))],
    ['major number', remade('dev', (path) => makeNode(path, NODE_TYPE.char | 0o600, { major: 5, minor: 3 }))],
    ['kind of device', remade('dev', (path) => makeNode(path, NODE_TYPE.block | 0o600, { major: 1, minor: 3 }))],
    ['fifo into file', remade('pipe', (path) => writeFileSync(path, '', { mode: 0o600 }))],
    ['directory into file', remade('s', (path) => writeFileSync(path, ''))],
    ['hard link into file', remade('hard', (path) => writeFileSync(path, 'F', { mode: 0o644 }))],
    ['file into link', remade('hard', (path) => symlinkSync('f', path))],
    ['an empty directory more', () => mkdirSync(at('e'))],
  ])('%s', async (_, change) => {
    expect(await fingerprints(change)).toEqual([true, true])
  })

  // What is the caller's machine's does not get into an image, and so is no reason to build again.
  it.each<[string, () => void]>([
    ['owner', () => chownSync(at('f'), 7, 0)],
    ['group', () => chownSync(at('f'), 0, 7)],
    ['owner of a link', () => lchownSync(at('l'), 7, 7)],
    ['owner of a directory', () => chownSync(at('s'), 7, 7)],
    ['capability', () => setXattr(at('f'), 'security.capability', CAPABILITY)],
    ['attribute', () => setXattr(at('f'), 'user.a', Buffer.from('b'))],
    ['attribute of a directory', () => setXattr(at('s'), 'user.a', Buffer.from('b'))],
    ['access list', () => setXattr(at('f'), 'system.posix_acl_access', ACL)],
    ['access list for what will be in a directory', () => setXattr(at('s'), 'system.posix_acl_default', ACL)],
  ])('%s, which contexts have none of', async (_, change) => {
    expect(await fingerprints(change)).toEqual([true, false])
  })

  it('no time', async () => {
    expect(await fingerprints(() => utimesSync(at('f'), 1, 1))).toEqual([false, false])
  })

  it('tells names with line feeds from entries', async () => {
    const digests = []
    for (const files of [{ 'd/a\nfile\0': '' }, { 'd/a': '', 'd/b': '' }, { 'd/a\nb': '' }] as const) {
      root = `${directory.path}/${count++}`
      const names = Object.fromEntries(Object.entries(files).map(([name, text]) => [name.replaceAll('\0', ''), text]))
      makeTree(root, names)
      digests.push(await digest('d'))
    }
    expect(new Set(digests).size).toBe(3)
  })
})

describe('entries file', () => {
  it('brings entries back as they were', async () => {
    makeTree(root, { ...base, [`raw${String.fromCharCode(0xdcff)}\n"x"`]: 'R' })
    const tree = openLocalContext(root)
    const entries = [
      ...(await select(tree, { patterns: ['.'], parents: false, exclude: [] })),
      ...(await select(tree, { patterns: ['d/s/b'], parents: true, exclude: [] })),
    ]
    const file = `${directory.path}/entries-${count}`
    await writeEntries(file, entries)
    const back: SelectedEntry[] = []
    for await (const entry of readEntries(file)) back.push(entry)
    expect(back).toEqual(entries)
    await expect(writeEntries(file, [])).rejects.toMatchObject({ code: 'EEXIST' })
  })

  it('may be empty', async () => {
    const file = `${directory.path}/none`
    await writeEntries(file, [])
    for await (const entry of readEntries(file)) expect.unreachable(entry.source)
  })
})
