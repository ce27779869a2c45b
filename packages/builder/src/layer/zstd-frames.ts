/**
 * Cuts zstd data at the ends of its frames (RFC 8878 section 3.1), without decompressing it: Node's decoder stops at the end
 * of a frame and drops the rest of the chunk that it is in.
 */
import { layerErrors } from './errors.ts'

const FRAME_MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50

const invalid = (why: string) => layerErrors.compressionInvalid(['zstd', why])

type State = 'magic' | 'skippable' | 'descriptor' | 'block' | 'after-last'

/** Follows the structure of frames byte by byte through chunks of any size. */
class FrameTracker {
  /** Bytes that can be passed over. */
  #skip = 0
  /** Small fields are collected here. */
  #field: number[] = []
  #want = 4
  #state: State = 'magic'
  #checksum = false

  /** Number of bytes of `chunk` from `at` that belong to the frame at hand. */
  advance(chunk: Buffer, at: number): number {
    let i = at
    while (i < chunk.length) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, chunk.length - i)
        this.#skip -= step
        i += step
      } else if (this.#state === 'after-last') {
        this.#expect('magic', 4)
        return i - at
      } else {
        this.#field.push(chunk[i++]!)
        if (this.#field.length === this.#want) this.#interpret(this.#field)
      }
    }
    if (this.#skip === 0 && this.#state === 'after-last') this.#expect('magic', 4)
    return i - at
  }

  #expect(state: State, bytes: number): void {
    this.#state = state
    this.#want = bytes
    this.#field = []
  }

  #interpret(field: readonly number[]): void {
    const value = field.reduceRight((sum, byte) => sum * 256 + byte, 0)
    if (this.#state === 'magic') {
      if (value === FRAME_MAGIC) this.#expect('descriptor', 1)
      else if (value - (value % 16) === SKIPPABLE_MAGIC) this.#expect('skippable', 4)
      else throw invalid('not a frame')
    } else if (this.#state === 'skippable') {
      this.#skip = value
      this.#expect('after-last', 0)
    } else if (this.#state === 'descriptor') {
      this.#checksum = (value & 4) !== 0
      const single = (value & 32) !== 0
      const size = [single ? 1 : 0, 2, 4, 8][value >> 6]!
      this.#skip = (single ? 0 : 1) + [0, 1, 2, 4][value & 3]! + size
      this.#expect('block', 3)
    } else {
      const type = (value >> 1) & 3
      if (type === 3) throw invalid('reserved block type')
      this.#skip = type === 1 ? 1 : value >> 3
      if ((value & 1) === 0) this.#expect('block', 3)
      else {
        this.#skip += this.#checksum ? 4 : 0
        this.#expect('after-last', 0)
      }
    }
  }
}

/** The same bytes in chunks that never hold the end of one frame and the start of the next. */
export async function* splitFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const tracker = new FrameTracker()
  for await (const part of chunks) {
    const chunk = Buffer.from(part.buffer, part.byteOffset, part.byteLength)
    for (let at = 0; at < chunk.length; ) {
      const length = tracker.advance(chunk, at)
      if (length > 0) yield chunk.subarray(at, at + length)
      at += length
    }
  }
}
