import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import zlib from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore, type Store } from '../store/store.ts'
import { deflatePiece, isPiece } from './deflate.ts'
import { runsOf } from './incompressible.ts'
import { recompressLayer } from './recompress.ts'
import {
  archive,
  compress,
  compressInto,
  counted,
  noise,
  sourceTree,
  type TestFile,
  words,
} from './testing/compressed.ts'
import { sha256, stream } from './testing/tar.ts'

let root: string
let store: Store

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'gzip-'))
  store = await openStore(root)
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

const contents = fc
  .tuple(
    fc.oneof(fc.nat(3000), fc.nat(70_000), fc.nat(1_500_000), fc.constantFrom(0, 512, 512 * 1024, 512 * 1024 + 1)),
    fc.constantFrom('text', 'noise', 'zeros', 'both'),
    fc.nat(1000),
  )
  .map(([size, kind, seed]) => {
    if (kind === 'text') return words(size, seed)
    if (kind === 'noise') return noise(size, seed)
    if (kind === 'zeros') return Buffer.alloc(size)
    return Buffer.concat([words(size >> 1, seed), noise(size - (size >> 1), seed)])
  })

const trees = fc
  .array(contents, { minLength: 1, maxLength: 6 })
  .map((all) => all.map((content, i) => ({ name: `d/f${i}`, content })))

describe('gzip', () => {
  it('gives any archive back, in one member, with the same bytes whatever chunks come in and whatever the store holds', async () => {
    await fc.assert(
      fc.asyncProperty(
        trees,
        fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 5 }),
        async (files, chunks) => {
          const data = archive(files)
          const cold = await compress(data)
          expect([cold.digest, cold.size]).toEqual([sha256(cold.data), cold.data.length])
          // Of a second member nothing would be seen.
          const inner = zlib.inflateRawSync(cold.data.subarray(10, -8), { info: true }) as unknown as {
            buffer: Buffer
            engine: zlib.InflateRaw
          }
          expect(inner.buffer.equals(data)).toBe(true)
          expect(inner.engine.bytesWritten).toBe(cold.data.length - 18)
          expect(zlib.gunzipSync(cold.data).equals(data)).toBe(true)
          expect((await compress(data, {}, chunks)).digest).toBe(cold.digest)

          await compressInto(store, archive(files.slice(1)))
          expect((await compressInto(store, data)).digest).toBe(cold.digest)
          expect((await compressInto(store, data)).digest).toBe(cold.digest)
        },
      ),
      { numRuns: 6 },
    )
  })

  it('is read by gzip', async () => {
    const data = archive([...sourceTree(300), { name: 'big', content: noise(1_300_000, 1) }])
    const { data: packed } = await compress(data)
    expect(execFileSync('gzip', ['-dc'], { input: packed, maxBuffer: 1 << 28 }).equals(data)).toBe(true)
  })

  it('of bytes that are no archive works as well', async () => {
    for (const data of [
      Buffer.alloc(0),
      Buffer.from('x'),
      words(3_000_000, 5),
      noise(2_200_000, 5),
      Buffer.alloc(5_000_000, 'ustar'),
    ])
      expect(zlib.gunzipSync((await compress(data)).data).equals(data)).toBe(true)
  })

  it('is the same from the snapshot and compressed again', async () => {
    const data = archive([...sourceTree(400), { name: 'big', content: words(1_300_000, 1) }])
    const direct = await compress(data)
    const options = { compression: 'gzip', diffID: sha256(data) } as const
    const again = await recompressLayer(stream(zlib.gzipSync(data), 10_000), options, join(root, 'out'))
    expect(again.digest).toBe(direct.digest)
  })

  it.each([0, 1, 9])('at level %d has that level everywhere', async (level) => {
    const data = archive(sourceTree(300))
    const { data: packed } = await compress(data, { level })
    expect(zlib.gunzipSync(packed).equals(data)).toBe(true)
    const sizes = [level, 6].map((l) => zlib.deflateRawSync(data, { level: l }).length)
    // Pieces cost a little.
    expect(packed.length).toBeGreaterThan(sizes[0]! * 0.99)
    expect(packed.length).toBeLessThan(sizes[0]! * 1.01 + 100)
  })

  it('has hardly more bytes than one run of the usual level', async () => {
    const program = archive([{ name: 'node', content: await programText() }])
    for (const data of [archive(sourceTree(800)), program]) {
      const { size } = await compress(data)
      expect(size).toBeLessThan(zlib.gzipSync(data, { level: 6 }).length * 1.02)
    }
  })

  it('takes noise as it is', async () => {
    const data = archive([{ name: 'big', content: Buffer.concat([noise(2_000_000, 3), words(500_000, 3)]) }])
    const { size } = await compress(data)
    const text = zlib.gzipSync(words(500_000, 3)).length
    expect(size).toBeLessThan(2_000_000 + text * 1.05 + 70_000)
    const input = { data: noise(640 * 1024, 4), start: 0 }
    const blocks = await deflatePiece(input, runsOf(input.data.subarray(input.start)), 6)
    expect(blocks.every((block, i) => (i % 2 === 0 ? block.length === 5 && block[0] === 0 : true))).toBe(true)
  })
})

/** Code as it is installed: some of this process's own executable. */
async function programText(): Promise<Buffer> {
  const { open } = await import('node:fs/promises')
  await using handle = await open(process.execPath)
  const { size } = await handle.stat()
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(4_000_000), 0, 4_000_000, size >> 1)
  return buffer.subarray(0, bytesRead)
}

describe('a layer of which little has changed', () => {
  const big: TestFile = { name: 'package-9/big', content: words(2_500_000, 99), mtime: 1_600_000_000 }
  const files = [...sourceTree(900), big, ...sourceTree(200, 77).map((f) => ({ ...f, name: `z/${f.name}` }))]
  const replace = (at: number, change: (file: TestFile) => TestFile | TestFile[]) =>
    files.flatMap((f, i) => (i === at ? change(f) : f))
  const text = words(5000, 12345)

  it.each<[string, (at: number) => TestFile[], most: number]>([
    [
      'a file of the same size',
      (at) => replace(at, (f) => ({ ...f, mtime: 1_700_000_000, content: words(f.content.length, 4242) })),
      3,
    ],
    ['a longer file', (at) => replace(at, (f) => ({ ...f, content: Buffer.concat([f.content, text]) })), 4],
    ['a file removed', (at) => replace(at, () => []), 5],
    ['a file added', (at) => replace(at, (f) => [f, { name: `${f.name}.more`, content: text }]), 5],
    [
      'a big file added',
      (at) => replace(at, (f) => [f, { ...big, name: `${f.name}.big`, content: words(2_000_000, 5) }]),
      9,
    ],
    ['the time of a big file', () => replace(900, (f) => ({ ...f, mtime: 1_700_000_000 })), 3],
    ['the end of a big file', () => replace(900, (f) => ({ ...f, content: Buffer.concat([f.content, text]) })), 3],
  ])('is compressed only around it: %s', async (_name, change, most) => {
    const first = counted(store.pieces)
    await compressInto(store, archive(files), { pieces: first })
    expect([first.found, first.missed > 12]).toEqual([0, true])
    for (const at of [400, 899]) {
      const data = archive(change(at))
      const again = counted(store.pieces)
      const { digest } = await compressInto(store, data, { pieces: again })
      expect(again.missed).toBeLessThanOrEqual(most)
      expect(digest).toBe((await compress(data)).digest)
    }
  })

  it('is compressed with the pieces of several others', async () => {
    const half = files.length >> 1
    await compressInto(store, archive(files.slice(0, half)))
    await compressInto(store, archive(files.slice(half - 150)))
    const pieces = counted(store.pieces)
    await compressInto(store, archive(files), { pieces })
    expect(pieces.missed).toBeLessThanOrEqual(6)
  })

  it('is compressed anew at another level', async () => {
    await compressInto(store, archive(files))
    const pieces = counted(store.pieces)
    await compressInto(store, archive(files), { pieces, level: 1 })
    expect(pieces.found).toBe(0)
  })
})

describe('what is said to be a piece', () => {
  const data = Buffer.concat([words(32 * 1024, 1), words(200_000, 2)])
  const input = { data, start: 32 * 1024 }
  const dictionary = data.subarray(0, input.start)
  const content = data.subarray(input.start)
  const raw = (options: zlib.ZlibOptions) => zlib.deflateRawSync(content, { dictionary, ...options })
  const { Z_SYNC_FLUSH, Z_FINISH, Z_PARTIAL_FLUSH, Z_BLOCK } = zlib.constants
  const whole = raw({ finishFlush: Z_SYNC_FLUSH })

  it('is one', async () => {
    expect(
      await isPiece(Buffer.concat(await deflatePiece(input, runsOf(input.data.subarray(input.start)), 6)), input),
    ).toBe(true)
    expect(await isPiece(whole, input)).toBe(true)
  })

  it.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['ends the stream', raw({ finishFlush: Z_FINISH })],
    ['ends the stream behind itself', Buffer.concat([whole, Buffer.from([3, 0])])],
    ['ends the stream in an empty stored block', Buffer.concat([whole, Buffer.from([1, 0, 0, 0xff, 0xff])])],
    ['ends between two bytes', raw({ finishFlush: Z_PARTIAL_FLUSH })],
    ['ends between two bytes, without a mark', raw({ finishFlush: Z_BLOCK })],
    ['ends too early', whole.subarray(0, -1)],
    ['ends in a block', whole.subarray(0, -1000)],
    ['has a byte too many', Buffer.concat([whole, Buffer.from([0])])],
    ['has content too much', Buffer.concat([whole, zlib.deflateRawSync('x', { finishFlush: Z_SYNC_FLUSH })])],
    [
      'holds something else',
      zlib.deflateRawSync(Buffer.from(content).fill('x', 100_000, 100_001), { finishFlush: Z_SYNC_FLUSH }),
    ],
    ['holds far too much', zlib.deflateRawSync(Buffer.alloc(50_000_000), { finishFlush: Z_SYNC_FLUSH })],
    [
      'was made behind something else',
      zlib.deflateRawSync(content, { dictionary: words(32 * 1024, 9), finishFlush: Z_SYNC_FLUSH }),
    ],
  ])('is none: it %s', async (_name, bytes) => {
    expect(await isPiece(bytes, input)).toBe(false)
  })
})
