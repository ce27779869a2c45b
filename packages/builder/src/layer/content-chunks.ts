/**
 * Cuts a stream of bytes where its content says so (FastCDC: Xia et al., "FastCDC: a Fast and Efficient Content-Defined
 * Chunking Approach for Data Deduplication"), so that what is inserted or changed moves only the cuts around it.
 *
 * Equal bytes are cut alike everywhere: the table, the sizes and the masks are part of what shared caches rely on, and
 * another one costs every cache its first export.
 */
import { createHash } from 'node:crypto'

/** Bytes that a chunk has at least (but for the last one), on average, and at most. */
export const CHUNK_SIZES = { min: 256 * 1024, normal: 1024 * 1024, max: 4 * 1024 * 1024 } as const

export type ChunkSizes = { readonly [K in keyof typeof CHUNK_SIZES]: number }

/** A number for each byte that nobody can tell from a random one. */
const GEAR = Uint32Array.from({ length: 256 }, (_, byte) =>
  createHash('sha256').update(`tsbuild chunk ${byte}`).digest().readUInt32LE(0),
)

/**
 * @param pieces of any sizes; each may be reused by its maker once the next one is asked for
 * @param sizes for tests
 * @returns chunks, the caller's to keep
 */
export async function* contentChunks(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  sizes: ChunkSizes = CHUNK_SIZES,
): AsyncGenerator<Buffer> {
  const { min, normal, max } = sizes
  // Below the usual size a cut is four times rarer than it is on average, above it four times likelier.
  const bits = Math.round(Math.log2(normal))
  const [rare, frequent] = [32 - (bits + 2), 32 - (bits - 2)]
  const buffer = Buffer.allocUnsafeSlow(max)
  let used = 0
  let hash = 0
  /** Where a chunk ends that has `used` bytes so far, of which those from `at` on are new; undefined: not yet. */
  const cutFrom = (at: number): number | undefined => {
    for (let i = Math.max(at, min); i < used; i++) {
      hash = ((hash << 1) + GEAR[buffer[i]!]!) | 0
      if (hash >>> (i < normal ? rare : frequent) === 0) return i + 1
    }
    return used === max ? max : undefined
  }
  for await (const piece of pieces) {
    for (let taken = 0; taken < piece.length; ) {
      const start = used
      const length = Math.min(max - used, piece.length - taken)
      buffer.set(piece.subarray(taken, taken + length), used)
      used += length
      const end = cutFrom(start)
      if (end === undefined) {
        taken += length
        continue
      }
      yield Buffer.from(buffer.subarray(0, end))
      // What follows the cut is taken from the piece again.
      taken += end - start
      used = 0
      hash = 0
    }
  }
  if (used > 0) yield Buffer.from(buffer.subarray(0, used))
}
