import { mediaTypes } from '@tsbuild/registry-client'
import { describe, expect, it } from 'vitest'
import { applyIndex, mergeLayer } from './apply-index.ts'
import { type Directory, emptyRoot, lookUp } from './file-tree.ts'
import { decodeIndex, encodeIndex, type IndexedEntry, indexLayer, indexOf } from './layer-index.ts'
import { dir, file, hard, pax, rawHeader, sha256, stream, sym, tar } from './testing/tar.ts'

const index = async (data: Buffer, diffID?: string) =>
  (await indexLayer(stream(data, 1000), mediaTypes.ociLayer, { diffID }))!

/** Every path with its type, directories before what they hold. */
function listed(directory: Directory, prefix = ''): string[] {
  return [...directory.names()].sort().flatMap((name) => {
    const node = directory.get(name)!
    const path = prefix + name
    if (node.type === 'directory') return [`${path}/`, ...listed(node, `${path}/`)]
    return [node.type === 'symlink' ? `${path} -> ${node.linkname}` : path]
  })
}

async function stacked(...layers: Buffer[]): Promise<Directory> {
  let root = emptyRoot()
  for (const layer of layers) root = applyIndex(root, indexOf(await index(layer, sha256(layer))))
  return root
}

describe('the index of a layer', () => {
  it('holds everything but contents, which it knows by their digests', async () => {
    const capability = Buffer.from([1, 0, 255])
    const data = tar(
      file('big', 'x'.repeat(5000)),
      Buffer.concat([pax({ 'SCHILY.xattr.security.capability': capability, path: 'é' }), file('e', 'E')]),
      sym('l', 'big'),
      hard('h', 'big'),
      rawHeader({ name: 'null', type: '3', major: 1, minor: 3 }),
      file(Buffer.from([0xff]), ''),
      file('etc/passwd', 'me:x:1:1::/:\n'),
    )
    const entries = await index(data, sha256(data))
    expect(entries.map(({ path, type, digest }) => [path, type, digest && `sha256:${digest}`])).toEqual([
      ['big', 'file', sha256('x'.repeat(5000))],
      ['é', 'file', sha256('E')],
      ['l', 'symlink', undefined],
      ['h', 'hardlink', undefined],
      ['null', 'char', undefined],
      ['\udcff', 'file', sha256('')],
      ['etc/passwd', 'file', sha256('me:x:1:1::/:\n')],
    ])
    expect(entries[1]!.xattrs).toEqual([['security.capability', capability]])
    expect(entries.map(({ data: kept }) => kept?.toString())).toEqual([...Array(6), 'me:x:1:1::/:\n'])
    const plain = (all: readonly IndexedEntry[]) => all.map((entry) => JSON.parse(JSON.stringify(entry)))
    expect(plain(decodeIndex(encodeIndex(entries)))).toEqual(plain(entries))
    expect(decodeIndex(encodeIndex([]))).toEqual([])
  })

  it('is none of a layer that is not what it should be', async () => {
    const data = tar(file('a', 'A'))
    await expect(index(data, sha256('other'))).rejects.toMatchObject({ code: 'DIFF_ID_MISMATCH' })
    await expect(index(data.subarray(0, 700))).rejects.toMatchObject({ code: 'TAR_TRUNCATED' })
  })

  it('is not made of a layer that would take all memory', async () => {
    // Each path leads through directories of its own, and has less than nothing in it.
    const deep = (first: number) => Buffer.concat([pax({ path: `${first}/${'d/'.repeat(2000)}f` }), file('f')])
    const layer = Buffer.concat(Array.from({ length: 1500 }, (_, i) => deep(i)))
    expect(await indexLayer(stream(layer), mediaTypes.ociLayer, { diffID: undefined })).toBeUndefined()
  }, 60_000)
})

describe('layers by their indexes', () => {
  it('hide what they say is gone and what they replace', async () => {
    const below = tar(dir('d'), file('d/1'), dir('d/s'), file('d/s/x'), file('f'), sym('l', 'd'), dir('e'), file('e/x'))
    const root = await stacked(
      below,
      tar(file('l/2'), file('d/.wh.1'), file('e/y'), file('e/.wh..wh..opq'), dir('f'), hard('h', 'd/s/x')),
    )
    expect(listed(root)).toEqual(['d/', 'd/2', 'd/s/', 'd/s/x', 'e/', 'e/y', 'f/', 'h', 'l -> d'])
    expect(lookUp(root, 'h')).toBe(lookUp(root, 'd/s/x'))
    expect(lookUp(root, 'h')).toMatchObject({ names: 2 })
    // What lies below is as it was.
    expect(listed(await stacked(below))).toContain('d/1')
  })

  it('lead out of the root by no link', async () => {
    const links = tar(sym('up', '../../..'), sym('abs', '/x'), sym('self', 'self'))
    expect(listed(await stacked(links, tar(file('up/a'), file('abs/b'), file('../../c'))))).toEqual(
      ['a', 'abs -> /x', 'c', 'self -> self', 'up -> ../../..', 'x/', 'x/b'], // biome-ignore format: one list
    )
    await expect(stacked(links, tar(file('self/a')))).rejects.toMatchObject({ code: 'UNPACK_FAILED' })
  })

  it.each<[string, Buffer, string]>([
    ['a name that is too long', Buffer.concat([pax({ path: 'd/'.repeat(100_000) }), file('x')]), 'UNPACK_FAILED'],
    ['a hard link to nothing', hard('h', 'none'), 'UNPACK_FAILED'],
    ['a file in a file', Buffer.concat([file('f'), file('f/x')]), 'UNPACK_FAILED'],
    ['a directory named as a deletion', file('.wh.d/x'), 'TAR_INVALID'],
    ['a deletion of everything above', file('d/.wh...'), 'TAR_INVALID'],
    ['a root that is a file', rawHeader({ name: './', type: '2', linkname: '/etc' }), 'TAR_INVALID'],
  ])('refuse %s', async (_, entry, code) => {
    await expect(stacked(tar(entry))).rejects.toMatchObject({ code })
  })

  it('may be as many as a Dockerfile has lines', async () => {
    const layers = Array.from({ length: 20_000 }, (_, i) => ({ path: `d/${i % 100}`, type: 'fifo' }) as IndexedEntry)
    const common = { mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 0 }
    const bottom = applyIndex(emptyRoot(), indexOf([{ ...common, path: 'first', type: 'fifo' }]))
    const root = layers.reduce((below, entry) => applyIndex(below, indexOf([{ ...common, ...entry }])), bottom)
    expect(listed(root)).toHaveLength(102)
    expect(lookUp(root, 'first')).toBeDefined()
  })

  it('made on nothing are merged as a mount does it', async () => {
    const below = await stacked(tar(dir('d'), file('d/1'), sym('l', 'd'), dir('k', { mode: 0o700 })))
    const alone = applyIndex(emptyRoot(), indexOf(await index(tar(dir('l'), file('l/2'), dir('k'), file('d/3')))))
    const merged = mergeLayer(alone, below)
    expect(listed(merged)).toEqual(['d/', 'd/1', 'd/3', 'k/', 'l/', 'l/2'])
    expect(lookUp(merged, 'k')).toMatchObject({ mode: 0o755 })
  })
})
