/** Writes a tar archive in chunks of fixed size: headers are packed by hand and files are read straight into the chunk. */
import { closeSync } from 'node:fs'
import { Digester } from '@tsbuild/registry-client'
import { type Content, type ContentFile, readContent } from '../util/content.ts'
import type { CompressedBlob, CompressedWriter } from './compress.ts'
import { BLOCK, encodeHeader, paddingOf, type TarEntry } from './tar-header.ts'

/** What {@link TarWriter.end} tells. */
export interface WrittenTar extends CompressedBlob {
  /** Digest of the archive before compression. */
  readonly diffID: `sha256:${string}`
  readonly uncompressedSize: number
}

/** One archive. Entries are written one after the other: each call is awaited before the next. */
export class TarWriter {
  readonly #out: CompressedWriter
  readonly #digester = new Digester('sha256')
  readonly #onProgress: ((bytes: number) => void) | undefined
  #chunk: Buffer
  #used = 0

  /** @param onProgress called with the bytes of the archive so far */
  constructor(out: CompressedWriter, onProgress?: (bytes: number) => void) {
    this.#out = out
    this.#onProgress = onProgress
    // Most layers are small; a chunk that gets full becomes one of the size that all have.
    this.#chunk = Buffer.allocUnsafe(Math.min(FIRST_CHUNK, out.chunkSize))
  }

  /**
   * Writes an entry with a file's content, which must have exactly `entry.size` bytes.
   *
   * @param seen called with the content as it is read
   * @returns undefined when it is done at once, as for most entries: a promise would cost as much as the rest
   * @throws what the content says
   */
  entry(entry: TarEntry, content: Content | undefined, seen?: (piece: Buffer) => void): Promise<void> | undefined {
    const header = encodeHeader(entry)
    const size = content === undefined ? 0 : entry.size
    if (header.length + size + paddingOf(size) >= this.#chunk.length - this.#used)
      return this.#largeEntry(Buffer.from(header), content, size, seen)
    this.#fill(header)
    if (Buffer.isBuffer(content)) {
      seen?.(content)
      this.#fill(content)
    } else if (content && isRead(content, size)) {
      const fd = content.open(true)
      try {
        for (let left = size; left > 0; ) left -= this.#read(content, fd, size, left, seen)
        if (content.isSame?.(fd) === false) throw content.changed()
      } finally {
        closeSync(fd)
      }
    }
    this.#fill(ZEROS.subarray(0, paddingOf(size)))
    return undefined
  }

  async #largeEntry(
    header: Buffer,
    content: Content | undefined,
    size: number,
    seen: ((piece: Buffer) => void) | undefined,
  ): Promise<void> {
    await this.bytes(header)
    if (Buffer.isBuffer(content)) {
      seen?.(content)
      await this.bytes(content)
    } else if (content && isRead(content, size)) {
      const fd = content.open(true)
      try {
        for (let left = size; left > 0; await this.#makeRoom()) left -= this.#read(content, fd, size, left, seen)
        if (content.isSame?.(fd) === false) throw content.changed()
      } finally {
        closeSync(fd)
      }
    }
    await this.padding(size)
  }

  /** Writes a header; content of its size, by {@link bytes}, and {@link padding} must follow. */
  async header(entry: TarEntry): Promise<void> {
    await this.bytes(Buffer.from(encodeHeader(entry)))
  }

  /** Writes part of an archive as it is. */
  async bytes(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; ) {
      const length = Math.min(data.length - at, this.#chunk.length - this.#used)
      this.#fill(length === data.length ? data : data.subarray(at, at + length))
      at += length
      await this.#makeRoom()
    }
  }

  /** Fills up to the next block after content of this size. */
  async padding(size: number): Promise<void> {
    if (paddingOf(size) > 0) await this.bytes(ZEROS.subarray(0, paddingOf(size)))
  }

  /** Ends the archive with two empty blocks. */
  async end(): Promise<WrittenTar> {
    await this.bytes(ZEROS)
    if (this.#used > 0) await this.#handOver()
    const blob = await this.#out.end()
    return { ...blob, diffID: this.#digester.digest() as `sha256:${string}`, uncompressedSize: this.#digester.size }
  }

  /** Writes what the chunk has room for. */
  #fill(data: Uint8Array): void {
    this.#chunk.set(data, this.#used)
    this.#used += data.length
  }

  /** Reads what the chunk has room for of the last `left` bytes of a file. */
  #read(
    content: ContentFile,
    fd: number,
    size: number,
    left: number,
    seen: ((piece: Buffer) => void) | undefined,
  ): number {
    const { offset } = content
    // One byte more than expected shows a file that has grown; its place is written over.
    const room = Math.min(left + (offset === undefined ? 1 : 0), this.#chunk.length - this.#used)
    const n = readContent(
      content,
      fd,
      this.#chunk,
      this.#used,
      room,
      offset === undefined ? null : offset + size - left,
    )
    if (n === 0 || n > left) throw content.changed()
    seen?.(this.#chunk.subarray(this.#used, this.#used + n))
    this.#used += n
    return n
  }

  /** After this, the chunk is not full. */
  async #makeRoom(): Promise<void> {
    if (this.#used < this.#chunk.length) return
    const first = this.#chunk
    if (first.length === this.#out.chunkSize) {
      await this.#handOver()
      this.#used = 0
    }
    this.#chunk = this.#out.buffer()
    if (this.#used > 0) first.copy(this.#chunk)
  }

  async #handOver(): Promise<void> {
    this.#digester.update(this.#chunk.subarray(0, this.#used))
    this.#onProgress?.(this.#digester.size)
    await this.#out.write(this.#chunk, this.#used)
  }
}

/** Whether a file is opened at all: an empty one only to see that it still is. */
function isRead(content: ContentFile, size: number): boolean {
  return size > 0 || content.isSame !== undefined
}

const FIRST_CHUNK = 16 * 1024
const ZEROS = Buffer.alloc(2 * BLOCK)
