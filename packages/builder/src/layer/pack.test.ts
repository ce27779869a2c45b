import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { mediaTypes } from '@tsbuild/registry-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Change } from '../snapshot/snapshotter.ts'
import { fsPath, readDirectory } from '../util/raw-path.ts'
import { listXattrs, makeNode, NODE_TYPE, setXattr } from '../util/syscalls.ts'
import type { Compression } from './compress.ts'
import { type PackOptions, packLayer } from './pack.ts'
import { rewriteLayer } from './rewrite.ts'
import type { TarEntry } from './tar-header.ts'
import { TarReader } from './tar-reader.ts'
import { sha256, stream } from './testing/tar.ts'
import { unpackLayer } from './unpack.ts'

const isRoot = process.getuid?.() === 0
let base: string
let root: string

beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), 'pack-'))
  root = join(base, 'root')
  fs.mkdirSync(root)
})

afterEach(() => fs.rmSync(base, { recursive: true, force: true }))

/** The content of a directory as a snapshotter would report it. */
async function* changesOf(top: string, at = ''): AsyncGenerator<Change> {
  for (const entry of readDirectory(join(top, at))) {
    const path = at === '' ? entry.name : `${at}/${entry.name}`
    const place = fsPath(`${top}/${path}`)
    yield { kind: 'upsert', path, fsPath: place, stat: fs.lstatSync(place, { bigint: true }) }
    if (entry.isDirectory()) yield* changesOf(top, path)
  }
}

let counter = 0
const pack = async (changes: AsyncIterable<Change>, options: Partial<PackOptions> = {}) => {
  const out = join(base, `out-${counter++}`)
  const layer = await packLayer(changes, { compression: 'none', ...options }, out)
  return { ...layer, data: fs.readFileSync(out) }
}

async function entriesOf(data: Buffer): Promise<TarEntry[]> {
  const reader = new TarReader(stream(data))
  const found: TarEntry[] = []
  for (let entry = await reader.next(); entry; entry = await reader.next()) found.push(entry)
  return found
}

const gunzip: Record<Compression, (data: Buffer) => Buffer> = {
  none: (data) => data,
  gzip: (data) => zlib.gunzipSync(data),
  zstd: (data) => execFileSync('zstd', ['-dc'], { input: data, maxBuffer: 1 << 28 }),
}

describe('compression', () => {
  const noZstd = spawnSync('zstd', ['--version']).error !== undefined
  /** Sizes around the ends of chunks; text, so that chunks refer to what is before them. */
  const sizes = [0, 1, 512 * 1024 - 2048, 512 * 1024, 5_000_000]
  for (const compression of ['gzip', 'zstd', 'none'] as const) {
    const skip = compression === 'zstd' && noZstd
    it.skipIf(skip).each(sizes)(
      `${compression} of a file of %d bytes gives the archive back${skip ? ' (needs zstd)' : ''}`,
      async (size) => {
        fs.writeFileSync(
          join(root, 'f'),
          'some text that repeats, with numbers: 12345. '.repeat(size / 45 + 1).slice(0, size),
        )
        const plain = await pack(changesOf(root))
        const packed = await pack(changesOf(root), { compression })
        expect(gunzip[compression](packed.data).equals(plain.data)).toBe(true)
        expect([packed.diffID, packed.uncompressedSize]).toEqual([sha256(plain.data), plain.data.length])
        expect([packed.digest, packed.size]).toEqual([sha256(packed.data), packed.data.length])
        if (size > 1000 && compression !== 'none') expect(packed.size).toBeLessThan(size / 10)
      },
    )
  }

  it('has the same bytes every time, and the level asked for', async () => {
    fs.writeFileSync(join(root, 'f'), Array.from({ length: 200_000 }, (_, i) => (i * i) % 9973).join())
    const run = (level?: number) => pack(changesOf(root), { compression: 'gzip', level })
    const [a, b, fast] = [await run(), await run(6), await run(1)]
    expect(a.digest).toBe(b.digest)
    expect(fast.size).toBeGreaterThan(a.size)
  })

  it('names the media type', async () => {
    const types = await Promise.all(
      (['gzip', 'zstd', 'none'] as const).map(
        async (compression) => (await pack(changesOf(root), { compression })).mediaType,
      ),
    )
    expect(types).toEqual([mediaTypes.ociLayerGzip, mediaTypes.ociLayerZstd, mediaTypes.ociLayer])
  })
})

describe('entries', () => {
  it('come in order, directories with a slash, nothing twice', async () => {
    for (const path of ['b/z', 'b/a/x', 'a']) {
      fs.mkdirSync(join(root, path, '..'), { recursive: true })
      fs.writeFileSync(join(root, path), path)
    }
    const { data, entries } = await pack(changesOf(root))
    expect((await entriesOf(data)).map((e) => e.path)).toEqual(['a', 'b', 'b/a', 'b/a/x', 'b/z'])
    expect(entries).toBe(5)
    expect(data.toString('latin1', 1024, 1026)).toBe('b/')
  })

  it('say what was deleted', async () => {
    async function* changes(): AsyncGenerator<Change> {
      yield { kind: 'delete', path: 'top' }
      yield { kind: 'delete', path: 'a/b' }
    }
    const { data } = await pack(changes())
    expect((await entriesOf(data)).map(({ path, type, size, mtime }) => [path, type, size, mtime])).toEqual([
      ['.wh.top', 'file', 0, 0],
      ['a/.wh.b', 'file', 0, 0],
    ])
  })

  it('of nothing are an empty archive', async () => {
    const { data, entries } = await pack(changesOf(root))
    expect([data.equals(Buffer.alloc(1024)), entries]).toEqual([true, 0])
  })

  it('carry the content of a file with several names once', async () => {
    fs.writeFileSync(join(root, 'b'), 'content')
    fs.linkSync(join(root, 'b'), join(root, 'a'))
    fs.linkSync(join(root, 'b'), join(root, 'c'))
    const found = await entriesOf((await pack(changesOf(root))).data)
    expect(found.map(({ path, type, size, linkname }) => [path, type, size, linkname])).toEqual([
      ['a', 'file', 7, undefined],
      ['b', 'hardlink', 0, 'a'],
      ['c', 'hardlink', 0, 'a'],
    ])
  })

  it('leave sockets out', async () => {
    const server = createServer().listen(join(root, 's'))
    await new Promise((resolve) => server.once('listening', resolve))
    expect((await pack(changesOf(root))).entries).toBe(0)
    server.close()
  })

  it('may not have names that mean deletion', async () => {
    fs.mkdirSync(join(root, 'd'))
    fs.writeFileSync(join(root, 'd/.wh.x'), '')
    await expect(pack(changesOf(root))).rejects.toMatchObject({ code: 'RESERVED_NAME' })
  })

  it('have mapped times', async () => {
    fs.writeFileSync(join(root, 'f'), '')
    const { data } = await pack(changesOf(root), { mapTime: (seconds) => Math.min(seconds, 1000) })
    expect((await entriesOf(data))[0]!.mtime).toBe(1000)
  })
})

describe('failures', () => {
  it.each([
    ['grew', 'more'],
    ['shrank', 'x'],
  ])('a file that %s', async (_name, now) => {
    fs.writeFileSync(join(root, 'f'), 'one')
    const [change] = await Array.fromAsync(changesOf(root))
    fs.writeFileSync(join(root, 'f'), now)
    await expect(pack(stream1(change!))).rejects.toMatchObject({ code: 'FILE_CHANGED' })
  })

  it('a file that became a link', async () => {
    fs.writeFileSync(join(root, 'f'), 'one')
    const [change] = await Array.fromAsync(changesOf(root))
    fs.rmSync(join(root, 'f'))
    fs.symlinkSync('/etc/passwd', join(root, 'f'))
    await expect(pack(stream1(change!))).rejects.toThrow('ELOOP')
  })

  it('an abort in the middle', async () => {
    for (let i = 0; i < 10; i++) fs.writeFileSync(join(root, String(i)), Buffer.alloc(1_000_000))
    const aborter = new AbortController()
    const onProgress = (bytes: number) => bytes > 2_000_000 && aborter.abort()
    await expect(
      pack(changesOf(root), { compression: 'gzip', signal: aborter.signal, onProgress }),
    ).rejects.toMatchObject({ code: 'CANCELLED' })
  })
})

async function* stream1(change: Change): AsyncGenerator<Change> {
  yield change
}

describe('there and back again', () => {
  /** Everything that a layer keeps of a tree. */
  function listing(top: string, at = ''): unknown[] {
    return readDirectory(`${top}/${at}`).flatMap((entry) => {
      const path = at === '' ? entry.name : `${at}/${entry.name}`
      const place = fsPath(`${top}/${path}`)
      const stat = fs.lstatSync(place)
      const more = stat.isFile()
        ? fs.readFileSync(place, 'latin1')
        : stat.isSymbolicLink()
          ? fs.readlinkSync(place, 'latin1')
          : stat.rdev
      const xattrs = stat.isSymbolicLink() ? [] : listXattrs(place).filter((name) => name !== 'security.selinux')
      const links = stat.isDirectory() ? 0 : stat.nlink
      const line = [path, stat.mode, stat.uid, stat.gid, Math.floor(stat.mtimeMs / 1000), more, xattrs, links]
      return stat.isDirectory() ? [line, ...listing(top, path)] : [line]
    })
  }

  function makeTree(): void {
    const at = (path: string) => join(root, path)
    fs.mkdirSync(at('d/e'), { recursive: true })
    fs.writeFileSync(at('d/e/f'), 'x'.repeat(3000))
    fs.writeFileSync(at('d/empty'), '')
    fs.linkSync(at('d/e/f'), at('z-link'))
    fs.symlinkSync('../nowhere', at('d/s'))
    fs.writeFileSync(fsPath(`${root}/d/\udcff`), 'raw')
    fs.mkdirSync(at(`${'long'.repeat(40)}`))
    fs.writeFileSync(at(`${'long'.repeat(40)}/ü`), '')
    fs.chmodSync(at('d/e/f'), 0o751)
    fs.utimesSync(at('d/e/f'), 10, 20)
    makeNode(at('fifo'), NODE_TYPE.fifo | 0o600, { major: 0, minor: 0 })
    setXattr(at('d/empty'), 'user.note', Buffer.from([0, 1, 2]))
    if (!isRoot) return
    fs.chownSync(at('d/empty'), 70_000, 3_000_000)
    fs.chmodSync(at('d/empty'), 0o6755)
    makeNode(at('null'), NODE_TYPE.char | 0o666, { major: 1, minor: 3 })
    makeNode(at('disk'), NODE_TYPE.block | 0o600, { major: 259, minor: 70_000 })
    fs.utimesSync(at('d'), 1, 2)
  }

  it(`keeps every type and attribute${isRoot ? '' : ' (owners and devices need root)'}`, async () => {
    makeTree()
    const packed = await pack(changesOf(root), { compression: 'gzip' })
    const copy = join(base, 'copy')
    fs.mkdirSync(copy)
    await unpackLayer(stream(packed.data), packed.mediaType, { diffID: packed.diffID, root: copy })
    expect(listing(copy)).toEqual(listing(root))
    expect((await pack(changesOf(copy), { compression: 'gzip' })).digest).toBe(packed.digest)
  })

  it('is read by tar', async () => {
    makeTree()
    const { data } = await pack(changesOf(root))
    const copy = join(base, 'copy')
    fs.mkdirSync(copy)
    execFileSync('tar', ['-xpf', '-', '--xattrs', '--xattrs-include=*', '-C', copy], { input: data })
    expect(listing(copy)).toEqual(listing(root))
  })

  it('changes only times when rewritten', async () => {
    makeTree()
    const packed = await pack(changesOf(root), { compression: 'zstd' })
    const rewrite = async (compression: Compression, mapTime: (entry: TarEntry) => number) => {
      const out = join(base, `rewritten-${counter++}`)
      const layer = await rewriteLayer(stream(packed.data, 5000), { compression, mapTime }, out)
      return { ...layer, data: fs.readFileSync(out) }
    }
    expect((await rewrite('none', (entry) => entry.mtime)).diffID).toBe(packed.diffID)
    const clamped = await rewrite('gzip', (entry) => Math.min(entry.mtime, 15))
    expect([clamped.digest, clamped.size, clamped.entries]).toEqual([
      sha256(clamped.data),
      clamped.data.length,
      packed.entries,
    ])
    const found = await entriesOf(zlib.gunzipSync(clamped.data))
    expect(found.every((entry) => entry.mtime <= 15)).toBe(true)
    const strip = (entries: TarEntry[]) => entries.map((entry) => ({ ...entry, mtime: 0 }))
    expect(strip(found)).toEqual(strip(await entriesOf((await pack(changesOf(root))).data)))
    expect((await rewrite('gzip', (entry) => Math.min(entry.mtime, 15))).digest).toBe(clamped.digest)
  })
})
