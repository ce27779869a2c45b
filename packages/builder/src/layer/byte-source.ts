/** Reads a stream of chunks in pieces of any size, without copying where a piece lies within one chunk. */

/** A stream that ended before a piece of the size asked for. */
export const ENDED = Symbol('ended')

export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0
  #done = false

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** Exactly `length` bytes if they lie in the current chunk; undefined: call {@link take}. Valid until the next call. */
  takeNow(length: number): Buffer | undefined {
    if (this.#chunk.length - this.#at < length) return undefined
    this.#at += length
    return this.#chunk.subarray(this.#at - length, this.#at)
  }

  /** Exactly `length` bytes; {@link ENDED} when the stream ends before the first of them, or `truncated` after it. */
  async take(length: number, truncated: () => Error): Promise<Buffer | typeof ENDED> {
    const now = this.takeNow(length)
    if (now) return now
    const parts: Buffer[] = []
    for (let missing = length; missing > 0; ) {
      const part = await this.some(missing)
      if (part === ENDED) {
        if (parts.length === 0) return ENDED
        throw truncated()
      }
      // The chunk under a part may be reused by whoever makes the chunks.
      parts.push(Buffer.from(part))
      missing -= part.length
    }
    return Buffer.concat(parts)
  }

  /** At least one and at most `most` bytes. Valid until the next call. */
  async some(most: number): Promise<Buffer | typeof ENDED> {
    while (this.#at === this.#chunk.length) {
      if (this.#done) return ENDED
      const next = await this.#chunks.next()
      if (next.done) this.#done = true
      else {
        this.#chunk = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength)
        this.#at = 0
      }
    }
    const end = Math.min(this.#chunk.length, this.#at + most)
    const part = this.#chunk.subarray(this.#at, end)
    this.#at = end
    return part
  }

  /** Ends the stream early. */
  async close(): Promise<void> {
    this.#done = true
    await this.#chunks.return?.()
  }
}
