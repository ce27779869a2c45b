/**
 * Compression of layers on all cores, with the same bytes on every machine: the input is cut into chunks of fixed size that
 * are compressed independently of each other, and of how many cores there are, in Node's thread pool.
 *
 * gzip: each chunk is a run of deflate blocks that ends on a byte boundary (Z_SYNC_FLUSH) and knows the last 32 KiB before it
 * as its dictionary, so that joined they are one ordinary gzip member. zstd: each chunk is a frame.
 */
import { availableParallelism } from 'node:os'
import zlib from 'node:zlib'
import { Digester } from '@tsbuild/registry-client'
import { throwIfAborted } from '../errors.ts'
import type { BlobFile } from './blob-file.ts'

export type Compression = 'gzip' | 'zstd' | 'none'

/** What was written. */
export interface CompressedBlob {
  readonly digest: `sha256:${string}`
  readonly size: number
}

/** One way to compress chunks. */
interface Codec {
  /** Bytes of input per chunk; part of the format, since it decides the bytes of the output. */
  readonly chunkSize: number
  readonly header: Buffer
  compress(chunk: Buffer): Promise<Buffer>
  trailer(): Buffer
}

const WINDOW = 32 * 1024
const DEFAULT_LEVEL: Readonly<Record<Compression, number>> = { gzip: 6, zstd: 3, none: 0 }
/** Most input under way at once; its output is at most about as much again. */
const MOST_BYTES = 32 * 1024 * 1024
const NOTHING = Buffer.alloc(0)
/** What is compressed faster than another thread can be asked to. */
const SMALL = 8 * 1024

/**
 * Writes compressed data to a file. Chunks are taken from {@link buffer} to {@link write} and come back, so that memory is
 * bounded by the chunks under way.
 */
export class CompressedWriter {
  readonly chunkSize: number
  readonly #codec: Codec
  readonly #file: BlobFile
  readonly #signal: AbortSignal | undefined
  readonly #digester = new Digester('sha256')
  readonly #free: Buffer[] = []
  /** Chunks under way at once: enough to keep all cores busy while this thread has other things to do. */
  readonly #most: number
  readonly #underWay: Promise<void>[] = []
  #last: Promise<void>

  /** @param level as zlib or zstd count; undefined: 6 for gzip, 3 for zstd */
  constructor(file: BlobFile, compression: Compression, level: number | undefined, signal: AbortSignal | undefined) {
    this.#codec = codecs[compression](level ?? DEFAULT_LEVEL[compression])
    this.#file = file
    this.#signal = signal
    this.chunkSize = this.#codec.chunkSize
    this.#most = Math.min(2 * availableParallelism() + 4, MOST_BYTES / this.chunkSize)
    this.#last = this.#emit(this.#codec.header)
  }

  /** An empty chunk of {@link chunkSize} bytes. */
  buffer(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.chunkSize)
  }

  /** Takes over a chunk, full except for the last one; resolves when there is room for the next. */
  async write(chunk: Buffer, length: number): Promise<void> {
    throwIfAborted(this.#signal)
    const compressed = this.#codec.compress(chunk.subarray(0, length))
    // Failures show where `written` is awaited.
    compressed.catch(() => undefined)
    const before = this.#last
    const written = (async () => {
      await before
      await this.#emit(await compressed)
      this.#free.push(chunk)
    })()
    written.catch(() => undefined)
    this.#last = written
    this.#underWay.push(written)
    if (this.#underWay.length >= this.#most) await this.#underWay.shift()
  }

  async end(): Promise<CompressedBlob> {
    await this.#last
    await this.#emit(this.#codec.trailer())
    return { digest: this.#digester.digest() as `sha256:${string}`, size: this.#digester.size }
  }

  /** Waits until nothing is written any more, so that the file can be closed after a failure. */
  async settle(): Promise<void> {
    await Promise.allSettled([...this.#underWay, this.#last])
  }

  async #emit(data: Buffer): Promise<void> {
    throwIfAborted(this.#signal)
    this.#digester.update(data)
    await this.#file.write(data)
  }
}

const codecs: Readonly<Record<Compression, (level: number) => Codec>> = {
  gzip(level) {
    let crc = 0
    let size = 0
    let dictionary = NOTHING
    return {
      chunkSize: 512 * 1024,
      // No name, no time; 255: unknown operating system, as Go's compress/gzip writes it.
      header: Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]),
      compress(chunk) {
        crc = zlib.crc32(chunk, crc)
        size += chunk.length
        const before = dictionary
        dictionary = Buffer.from(chunk.subarray(-WINDOW))
        const options = {
          level,
          finishFlush: zlib.constants.Z_SYNC_FLUSH,
          // Room for all output, so that one trip to the thread pool is enough.
          chunkSize: chunk.length + 64 * 1024,
          ...(before.length > 0 && { dictionary: before }),
        }
        if (chunk.length <= SMALL) return Promise.resolve(zlib.deflateRawSync(chunk, options))
        return new Promise((resolve, reject) => {
          zlib.deflateRaw(chunk, options, (error, out) => (error ? reject(error) : resolve(out)))
        })
      },
      trailer() {
        // An empty final block, the checksum and the length.
        const out = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        out.writeUInt32LE(crc, 2)
        out.writeUInt32LE(size % 2 ** 32, 6)
        return out
      },
    }
  },
  zstd(level) {
    return {
      chunkSize: 4 * 1024 * 1024,
      header: NOTHING,
      compress(chunk) {
        const params = { [zlib.constants.ZSTD_c_compressionLevel]: level, [zlib.constants.ZSTD_c_checksumFlag]: 1 }
        return new Promise((resolve, reject) => {
          zlib.zstdCompress(chunk, { params }, (error, out) => (error ? reject(error) : resolve(out)))
        })
      },
      trailer: () => NOTHING,
    }
  },
  none: () => ({
    chunkSize: 1024 * 1024,
    header: NOTHING,
    compress: (chunk) => Promise.resolve(chunk),
    trailer: () => NOTHING,
  }),
}
