/**
 * Compression of layers on all cores, with the same bytes on every machine: the input is cut into parts that are compressed
 * side by side in Node's thread pool. Where it is cut depends on nothing but the input.
 *
 * gzip: see gzip.ts. zstd: chunks of a fixed size, each of them a frame.
 */
import zlib from 'node:zlib'
import type { Pieces, PieceTable } from '../store/pieces.ts'
import type { BlobFile } from './blob-file.ts'
import { GzipEncoder } from './gzip.ts'
import { OrderedOutput } from './ordered-output.ts'

export type Compression = 'gzip' | 'zstd' | 'none'

/** What was written. */
export interface CompressedBlob {
  readonly digest: `sha256:${string}`
  readonly size: number
  /** Where in it which pieces are, for {@link Pieces.save}; undefined where that is not worth keeping. */
  readonly pieces: PieceTable | undefined
}

export interface CompressOptions {
  readonly compression: Compression
  /** As zlib or zstd count; undefined: 6 for gzip, 3 for zstd. */
  readonly level?: number | undefined
  /** Where pieces are found that were compressed before; default: nowhere. */
  readonly pieces?: Pieces | undefined
  readonly signal?: AbortSignal | undefined
}

/** One way to compress. */
interface Encoder {
  /** Best size of what it is given. */
  readonly chunkSize: number
  /** Takes a chunk; resolves when there is room for the next. @param release to be called when it may be overwritten */
  write(data: Buffer, release: () => void): Promise<void>
  end(): Promise<PieceTable | undefined>
  close(): Promise<void>
}

/**
 * Writes compressed data to a file. Chunks are taken from {@link buffer} to {@link write} and come back, so that memory is
 * bounded by what is under way. How the data is cut into chunks makes no difference to gzip; for zstd all but the last have
 * to be full.
 */
export class CompressedWriter {
  readonly chunkSize: number
  readonly #output: OrderedOutput
  readonly #encoder: Encoder
  readonly #free: Buffer[] = []

  constructor(file: BlobFile, { compression, level, pieces, signal }: CompressOptions) {
    this.#output = new OrderedOutput(
      file,
      compression === 'gzip' ? GzipEncoder.partSize : CHUNKS[compression].size,
      signal,
    )
    this.#encoder =
      compression === 'gzip'
        ? new GzipEncoder(this.#output, level, pieces)
        : new ChunkEncoder(this.#output, CHUNKS[compression], level)
    this.chunkSize = this.#encoder.chunkSize
  }

  /** An empty chunk of {@link chunkSize} bytes. */
  buffer(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.chunkSize)
  }

  /** Takes over a chunk with so many bytes in it; resolves when there is room for the next. */
  async write(chunk: Buffer, length: number): Promise<void> {
    await this.#encoder.write(chunk.subarray(0, length), () => {
      if (chunk.length === this.chunkSize) this.#free.push(chunk)
    })
  }

  async end(): Promise<CompressedBlob> {
    const pieces = await this.#encoder.end()
    return { ...(await this.#output.end()), pieces }
  }

  /** Waits until nothing is written any more, so that the file can be closed after a failure. */
  async settle(): Promise<void> {
    await this.#output.settle()
    await this.#encoder.close()
  }
}

/** Chunks of a fixed size, which is part of the format, since it decides the bytes of the output. */
interface ChunkCodec {
  readonly size: number
  compress(chunk: Buffer, level: number | undefined): Promise<Buffer>
}

class ChunkEncoder implements Encoder {
  readonly chunkSize: number
  readonly #output: OrderedOutput
  readonly #codec: ChunkCodec
  readonly #level: number | undefined

  constructor(output: OrderedOutput, codec: ChunkCodec, level: number | undefined) {
    this.chunkSize = codec.size
    this.#output = output
    this.#codec = codec
    this.#level = level
  }

  async write(data: Buffer, release: () => void): Promise<void> {
    const compressed = this.#codec.compress(data, this.#level).then((part) => [part])
    await this.#output.add(compressed, release)
  }

  async end(): Promise<undefined> {}

  async close(): Promise<void> {}
}

const CHUNKS: Readonly<Record<'zstd' | 'none', ChunkCodec>> = {
  zstd: {
    size: 4 * 1024 * 1024,
    compress(chunk, level = 3) {
      const params = { [zlib.constants.ZSTD_c_compressionLevel]: level, [zlib.constants.ZSTD_c_checksumFlag]: 1 }
      return new Promise((resolve, reject) => {
        zlib.zstdCompress(chunk, { params }, (error, out) => (error ? reject(error) : resolve(out)))
      })
    },
  },
  none: { size: 1024 * 1024, compress: (chunk) => Promise.resolve(chunk) },
}
