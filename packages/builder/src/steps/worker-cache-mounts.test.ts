/** What cache mounts hold, packed and put back: whatever a container has left in them. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { digestOf } from '@tsbuild/registry-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodeHeader, type TarEntry } from '../layer/tar-header.ts'
import { startSwapper } from '../sandbox/testing/swapper.ts'
import { removeTree } from '../util/remove-tree.ts'
import { cacheMountName } from './cache-mount-name.ts'
import { CacheMounts } from './cache-mounts.ts'
import type { MountPacked } from './worker-api.ts'
import { fillMount, packMount } from './worker-cache-mounts.ts'

const TIMEOUT = 600_000
const { signal } = new AbortController()
const isRoot = process.getuid!() === 0

let base: string
beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), 'cache-mounts-'))
})
afterEach(() => removeTree(base))

const spec = {
  type: 'cache',
  id: 'c',
  target: '/c',
  sharing: 'shared',
  readonly: false,
  seed: undefined,
  source: '/',
  mode: 0o755,
  uid: process.getuid!(),
  gid: process.getgid!(),
  renew: false,
} as const
const name = cacheMountName(spec)

const machine = (which: string) => new CacheMounts(join(base, which, 'caches'), join(base, which, 'alive'))
const data = (which: string) => join(base, which, 'caches', name, 'data')

async function make(which: string): Promise<string> {
  await using cache = await machine(which).open(spec, undefined, signal)
  fs.closeSync(cache.fd)
  return data(which)
}

type Limits = { readonly maxSize?: number; readonly maxEntries?: number; readonly sharing?: 'shared' | 'locked' }

async function pack(which: string, { maxSize = 1 << 30, maxEntries, sharing = 'shared' }: Limits = {}) {
  const out = fs.mkdtempSync(join(base, 'out-'))
  return { out, ...(await packMount({ name, sharing, out, maxSize }, machine(which), signal, maxEntries)) }
}

type Packed = { readonly out: string } & MountPacked

async function fill(which: string, packed: Packed, maxEntries?: number): Promise<boolean> {
  if (packed.status !== 'packed') throw new Error(packed.status)
  const chunks = packed.chunks.map(({ digest }) => join(packed.out, digest.slice(7)))
  const { diffID, size } = packed
  return await fillMount({ mount: spec, chunks, diffID, size }, machine(which), signal, maxEntries)
}

/** An archive that nobody's mount has given. */
function forge(entries: readonly (Partial<TarEntry> & { readonly path: string; readonly content?: string })[]): Packed {
  const out = fs.mkdtempSync(join(base, 'forged-'))
  const parts = entries.flatMap(({ content = '', ...entry }) => {
    const size = entry.size ?? content.length
    const header = encodeHeader({ type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, ...entry, size })
    const padded = Buffer.alloc(Math.ceil(content.length / 512) * 512)
    padded.write(content)
    return [Buffer.from(header), padded]
  })
  const tar = Buffer.concat([...parts, Buffer.alloc(1024)])
  const chunk = zstdCompressSync(tar)
  const digest = digestOf(chunk)
  fs.writeFileSync(join(out, digest.slice(7)), chunk)
  const chunks = [{ digest, size: chunk.length }]
  return { out, status: 'packed', diffID: digestOf(tar), size: tar.length, chunks, leftOut: undefined }
}

describe.skipIf(!isRoot)('a cache mount that is packed and put back (needs root)', { timeout: TIMEOUT }, () => {
  it('has names, modes, owners, times, links and attributes', async () => {
    const from = await make('a')
    fs.mkdirSync(join(from, 'd/e'), { recursive: true, mode: 0o700 })
    fs.writeFileSync(join(from, 'd/file'), 'content')
    fs.chmodSync(join(from, 'd/file'), 0o4711)
    fs.chownSync(join(from, 'd/file'), 12, 34)
    fs.chmodSync(join(from, 'd/file'), 0o4711)
    fs.linkSync(join(from, 'd/file'), join(from, 'z'))
    fs.symlinkSync('/outside', join(from, 'link'))
    fs.writeFileSync(Buffer.concat([Buffer.from(`${from}/`), Buffer.of(0xff, 10, 0x41)]), 'odd')
    fs.utimesSync(join(from, 'd/file'), 1000.123, 1000.123)
    fs.utimesSync(join(from, 'd'), 2000.5, 2000.5)
    fs.chmodSync(from, 0o1777)
    const first = await pack('a')
    expect(first).toMatchObject({ status: 'packed', leftOut: undefined })
    expect(await fill('b', first)).toBe(true)
    const to = data('b')
    const list = (path: string) =>
      execFileSync('find', ['.', '-printf', '%y %m %U:%G %n %s %p %l\n'], { cwd: path })
        .toString('latin1')
        .split('\n')
        .sort()
    // The sizes of directories are the file system's affair.
    const plain = (lines: readonly string[]) => lines.map((line) => line.replace(/^(d .*?) \d+ \d+ /, '$1 '))
    expect(plain(list(to))).toEqual(plain(list(from)))
    expect(fs.statSync(join(to, 'd/file')).mtimeMs).toBeCloseTo(1_000_123, 1)
    expect(fs.statSync(join(to, 'd')).mtimeMs).toBeCloseTo(2_000_500, 1)
    expect(fs.statSync(join(to, 'd/file')).ino).toBe(fs.statSync(join(to, 'z')).ino)
    // What was put back is packed into the same chunks.
    const second = await pack('b')
    expect(second).toMatchObject({ diffID: (first as { diffID?: string }).diffID })
  })

  it('has what can be kept of what a container leaves', async () => {
    const from = await make('a')
    execFileSync('mkfifo', [join(from, 'fifo')])
    execFileSync('mknod', [join(from, 'device'), 'c', '1', '3'])
    fs.writeFileSync(join(from, '.wh.file'), 'x')
    fs.writeFileSync(join(from, 'file'), 'x')
    fs.symlinkSync('/etc', join(from, 'etc'))
    fs.mkdirSync(`${from}/deep${'/d'.repeat(250)}`, { recursive: true })
    const packed = await pack('a')
    expect(packed).toMatchObject({ status: 'packed', leftOut: { files: 4 } })
    expect(await fill('b', packed)).toBe(true)
    expect(fs.readdirSync(data('b')).sort()).toEqual(['deep', 'etc', 'file'])
  })

  it('has bounds', async () => {
    const from = await make('a')
    for (let i = 0; i < 20; i++) fs.writeFileSync(join(from, `f${i}`), 'x')
    expect(await pack('a', { maxEntries: 19 })).toMatchObject({ status: 'too-big', what: 'it has more than 19 files' })
    expect(await pack('a', { maxEntries: 20 })).toMatchObject({ status: 'packed' })
    // Nobody reads what cannot fit.
    fs.truncateSync(join(from, 'f0'), 2 ** 40)
    expect(await pack('a')).toMatchObject({ status: 'too-big' })
  })

  it('is left alone where it is in use, or has content', async () => {
    fs.writeFileSync(join(await make('a'), 'file'), 'x')
    const packed = await pack('a')
    fs.writeFileSync(join(await make('b'), 'own'), 'x')
    expect(await fill('b', packed)).toBe(false)
    expect(fs.readdirSync(data('b'))).toEqual(['own'])
    {
      await using open = await machine('c').open(spec, undefined, signal)
      expect(await fill('c', packed)).toBe(false)
      expect(fs.readdirSync(`/proc/self/fd/${open.fd}`)).toEqual([])
      fs.closeSync(open.fd)
    }
    expect(await fill('c', packed)).toBe(true)
    expect(fs.readdirSync(data('c'))).toEqual(['file'])
    {
      await using locked = await machine('c').open({ ...spec, sharing: 'locked' }, undefined, signal)
      expect(await pack('c', { sharing: 'locked' })).toMatchObject({ status: 'busy' })
      fs.closeSync(locked.fd)
    }
    expect(await pack('d')).toMatchObject({ status: 'absent' })
    // Nor would one with nothing in it be of use to anybody.
    await make('d')
    expect(await pack('d')).toMatchObject({ status: 'absent' })
  })

  it('is empty when a chunk is cut short, another one, or not there', async () => {
    fs.writeFileSync(join(await make('a'), 'file'), 'x'.repeat(5000))
    const packed = await pack('a')
    if (packed.status !== 'packed') throw new Error(packed.status)
    const file = join(packed.out, packed.chunks[0]!.digest.slice(7))
    const good = fs.readFileSync(file)
    const bad = [good.subarray(0, -3), zstdCompressSync(Buffer.alloc(8 << 20)), zstdCompressSync(Buffer.alloc(1024))]
    for (const bytes of bad) {
      fs.writeFileSync(file, bytes)
      await expect(fill('b', packed)).rejects.toThrow()
    }
    fs.rmSync(file)
    await expect(fill('b', packed)).rejects.toThrow()
    expect(fs.existsSync(data('b'))).toBe(false)
    expect(fs.readdirSync(join(base, 'b/caches', name))).toEqual(['id'])
  })

  it('holds nothing of an archive that leads out of it, makes devices or is endless', async () => {
    const outside = join(base, 'outside')
    fs.mkdirSync(outside)
    const hostile = forge([
      { path: '../../../../outside/a', content: 'x' },
      { path: 'link', type: 'symlink', linkname: outside },
      { path: 'link/b', content: 'x' },
      { path: 'device', type: 'char', device: { major: 1, minor: 3 } },
      { path: 'fifo', type: 'fifo' },
      { path: '/abs', content: 'x' },
    ])
    await fill('a', hostile).catch(() => undefined)
    expect(fs.readdirSync(outside)).toEqual([])
    const link = forge([{ path: 'hard', type: 'hardlink', linkname: '../../../../../etc/passwd' }])
    await expect(fill('b', link)).rejects.toThrow()
    expect(fs.existsSync(data('b'))).toBe(false)
    const many = forge(Array.from({ length: 30 }, (_, i) => ({ path: `f${i}` })))
    await expect(fill('b', many, 29)).rejects.toThrow('more than it says')
    await expect(fill('b', { ...many, size: 2048 } as Packed)).rejects.toThrow()
    expect(
      await fill('b', forge([{ path: 'ok' }, { path: 'device', type: 'block', device: { major: 8, minor: 0 } }])),
    ).toBe(true)
    expect(fs.readdirSync(data('b'))).toEqual(['ok'])
  })

  it('gives away nothing from outside while a process swaps its directories', async () => {
    const from = await make('a')
    const outside = join(base, 'outside')
    fs.mkdirSync(outside)
    fs.mkdirSync(join(from, 'good'))
    for (let i = 0; i < 200; i++) {
      fs.writeFileSync(join(outside, `f${i}`), 'secret')
      fs.writeFileSync(join(from, 'good', `f${i}`), 'x')
    }
    fs.symlinkSync(outside, join(from, 'evil'))
    await using _attacker = await startSwapper(join(from, 'good'), join(from, 'evil'))
    for (let round = 0; round < 5; round++) {
      const packed = await pack('a')
      if (packed.status !== 'packed') continue
      await fill(`copy${round}`, packed)
      // Which follows no link.
      const files = execFileSync('find', [data(`copy${round}`), '-type', 'f'], { encoding: 'utf8' })
        .trim()
        .split('\n')
      for (const file of files.filter((path) => path !== '')) expect(fs.readFileSync(file, 'utf8')).toBe('x')
    }
  })
})
