/** For tests: archives compressed by the writer as it is used, and archives to compress. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pieces } from '../../store/pieces.ts'
import type { Store } from '../../store/store.ts'
import { BlobFile } from '../blob-file.ts'
import { type CompressedBlob, CompressedWriter, type CompressOptions } from '../compress.ts'
import { file, tar } from './tar.ts'

export interface Compressed extends CompressedBlob {
  readonly data: Buffer
}

/** Compresses `data`, handed over in chunks of these sizes in turn. */
export async function compress(
  data: Buffer,
  options: Partial<CompressOptions> = {},
  chunks: readonly number[] = [512 * 1024],
): Promise<Compressed> {
  const directory = mkdtempSync(join(tmpdir(), 'compressed-'))
  try {
    const path = join(directory, 'blob')
    await using out = new BlobFile(path, 0)
    const writer = new CompressedWriter(out, { compression: 'gzip', ...options })
    try {
      for (let at = 0, turn = 0; at < data.length; turn++) {
        const chunk = writer.buffer()
        const length = Math.min(chunk.length, chunks[turn % chunks.length]!, data.length - at)
        data.copy(chunk, 0, at, at + length)
        await writer.write(chunk, length)
        at += length
      }
      return { ...(await writer.end()), data: readFileSync(path) }
    } finally {
      await writer.settle()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Compresses and keeps the blob and its pieces, as a build does. */
export async function compressInto(store: Store, data: Buffer, options: Partial<CompressOptions> = {}) {
  const result = await compress(data, { ...options, pieces: options.pieces ?? store.pieces })
  await store.blobs.put(result.data, result)
  if (result.pieces) await store.pieces.save(result.digest, result.pieces)
  return result
}

/** The same pieces, counting what is looked for and found. */
export function counted(pieces: Pieces): Pieces & { missed: number; found: number } {
  const counting = {
    missed: 0,
    found: 0,
    save: pieces.save,
    async open(format: string) {
      const known = await pieces.open(format)
      return {
        find(key: Buffer) {
          const bytes = known.find(key)
          if (bytes) counting.found++
          else counting.missed++
          return bytes
        },
        [Symbol.asyncDispose]: () => known[Symbol.asyncDispose](),
      }
    },
  }
  return counting
}

/** Numbers below `most`, the same ones for a seed. */
export function random(seed: number): (most: number) => number {
  let state = seed | 1
  return (most) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % most
  }
}

/** Text of words that come again. */
export function words(length: number, seed: number): Buffer {
  const next = random(seed + 7)
  const out = Buffer.alloc(length)
  for (let at = 0; at < length; ) at += out.write(`word${next(300)} `, at, 'latin1') || length
  return out
}

/** Bytes in which there is nothing to compress. */
export function noise(length: number, seed: number): Buffer {
  const next = random(seed + 11)
  const out = Buffer.alloc(length)
  for (let at = 0; at < length; at++) out[at] = next(0x10000) >>> 5
  return out
}

export interface TestFile {
  readonly name: string
  readonly content: Buffer
  readonly mtime?: number
}

export const archive = (files: readonly TestFile[]): Buffer =>
  tar(...files.map(({ name, content, mtime }) => file(name, content, mtime === undefined ? {} : { mtime })))

/** Files as packages have them. */
export function sourceTree(count: number, seed = 1): TestFile[] {
  const next = random(seed)
  return Array.from({ length: count }, (_, i) => ({
    name: `package-${Math.floor(i / 20)}/lib/file-${i % 20}.js`,
    content: words(200 + next(8000), seed * 100_003 + i),
    mtime: 1_600_000_000,
  }))
}
