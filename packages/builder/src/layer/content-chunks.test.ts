import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CHUNK_SIZES, type ChunkSizes, contentChunks } from './content-chunks.ts'

const SMALL: ChunkSizes = { min: 256, normal: 1024, max: 4096 }

/** Bytes that look random, always the same. */
function noise(seed: string, length: number): Buffer {
  return length === 0 ? Buffer.alloc(0) : createHash('shake256', { outputLength: length }).update(seed).digest()
}

function* inPieces(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes.length === 0 ? bytes.length : sizes[i % sizes.length]!
    yield bytes.subarray(at, at + size)
    at += size
  }
}

async function cut(bytes: Buffer, sizes: ChunkSizes = SMALL, pieces: readonly number[] = []): Promise<Buffer[]> {
  return await Array.fromAsync(contentChunks(inPieces(bytes, pieces), sizes))
}

const digests = (chunks: readonly Buffer[]) => chunks.map((chunk) => createHash('sha256').update(chunk).digest('hex'))

describe('chunks', () => {
  it('are the content, within their bounds, however it comes', async () => {
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
      fc.tuple(fc.string(), fc.nat(40_000)).map(([seed, length]) => noise(seed, length)),
      fc.nat(20_000).map((length) => Buffer.alloc(length)),
    )
    const pieces = fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(content, pieces, async (bytes, sizes) => {
        const chunks = await cut(bytes)
        expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
        for (const { length } of chunks.slice(0, -1)) expect(length > SMALL.min && length <= SMALL.max).toBe(true)
        expect(digests(await cut(bytes, SMALL, sizes))).toEqual(digests(chunks))
      }),
      { numRuns: 60 },
    )
  })

  it('are few new ones where something was inserted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(100_000), fc.integer({ min: 1, max: 500 }), fc.string(), async (at, length, seed) => {
        const before = noise(seed, 100_000)
        const after = Buffer.concat([before.subarray(0, at), noise(`new ${seed}`, length), before.subarray(at)])
        const known = new Set(digests(await cut(before)))
        const fresh = digests(await cut(after)).filter((digest) => !known.has(digest))
        expect(fresh.length).toBeLessThanOrEqual(12)
      }),
      { numRuns: 40 },
    )
  })

  it('have about the usual size, and stay where they are from one version to the next', async () => {
    const chunks = await cut(noise('x', 24 << 20), CHUNK_SIZES)
    expect(chunks.length).toBeGreaterThan(14)
    expect(chunks.length).toBeLessThan(40)
    // Another table, size or mask makes every cache worthless: that is to be decided, not to happen.
    expect(
      createHash('sha256')
        .update(chunks.map(({ length }) => length).join())
        .digest('hex')
        .slice(0, 16),
    ).toBe('d8c9f93f0a855580')
  })
})
