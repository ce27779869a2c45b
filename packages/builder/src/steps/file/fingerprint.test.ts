import { chmodSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { type Fixture, makeTree, temporaryDirectory } from '../../context/fixture.test-support.ts'
import { openLocalContext } from '../../context/local.ts'
import type { SelectedEntry } from '../../graph/file-op.ts'
import { readEntries, writeEntries } from './entries-file.ts'
import { type FingerprintOptions, fingerprint } from './fingerprint.ts'
import { select } from './select.ts'

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
