/** Decompression of layers and archives, recognised by their first bytes. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import zlib from 'node:zlib'
import { throwIfAborted } from '../errors.ts'
import { layerErrors } from './errors.ts'
import { splitFrames } from './zstd-frames.ts'

/** What data starts with. */
export type Packing = 'gzip' | 'zstd' | 'bzip2' | 'xz' | 'none'

/** With the default of 16 KiB each chunk's trip through the thread pool costs more than its work. */
const CHUNK = 256 * 1024
/** log2 of the most memory that a zstd frame may ask for: 128 MiB, the limit of the zstd tool. */
const ZSTD_WINDOW_LOG = 27
const LONGEST_MAGIC = 6

/** Recognises the compression by its magic number. */
export function packingOf(start: Uint8Array): Packing {
  const is = (...magic: number[]) => magic.every((byte, i) => start[i] === byte)
  if (is(0x1f, 0x8b, 8)) return 'gzip'
  if (
    is(0x28, 0xb5, 0x2f, 0xfd) ||
    ((start[0] ?? 0) >> 4 === 5 && start[1] === 0x2a && start[2] === 0x4d && start[3] === 0x18)
  )
    return 'zstd'
  if (is(0x42, 0x5a, 0x68)) return 'bzip2'
  return is(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0) ? 'xz' : 'none'
}

/** Reads the first bytes of a stream and gives it back whole. */
export async function peek(
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ packing: Packing; chunks: AsyncIterable<Uint8Array> }> {
  const iterator = chunks[Symbol.asyncIterator]()
  const first: Uint8Array[] = []
  let length = 0
  while (length < LONGEST_MAGIC) {
    const next = await iterator.next()
    if (next.done) break
    // Copied, since whoever makes the chunks may reuse one when asked for the next.
    first.push(Buffer.from(next.value))
    length += next.value.length
  }
  const start = Buffer.concat(first)
  async function* whole(): AsyncGenerator<Uint8Array> {
    try {
      if (start.length > 0) yield start
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
    } finally {
      await iterator.return?.()
    }
  }
  return { packing: packingOf(start), chunks: whole() }
}

/** Decompresses gzip (of one or more members) or zstd (of one or more frames). @throws COMPRESSION_INVALID */
export async function* decompress(
  chunks: AsyncIterable<Uint8Array>,
  packing: 'gzip' | 'zstd' | 'none',
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  if (packing === 'none') {
    for await (const chunk of chunks) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    return
  }
  const decoder =
    packing === 'gzip'
      ? zlib.createGunzip({ chunkSize: CHUNK })
      : zlib.createZstdDecompress({
          chunkSize: CHUNK,
          params: { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG },
        })
  const input = Readable.from(packing === 'gzip' ? chunks : splitFrames(chunks), { objectMode: true, highWaterMark: 1 })
  const feeding = pipeline(input, decoder, signal ? { signal } : {})
  // A failure of the input also ends the decoder, where it is seen first.
  feeding.catch(() => undefined)
  try {
    for await (const chunk of decoder) yield chunk as Buffer
    await feeding
  } catch (cause) {
    throwIfAborted(signal)
    const code = (cause as NodeJS.ErrnoException).code ?? ''
    if (!/^(Z_|ZSTD_)/.test(code)) throw cause
    throw layerErrors.compressionInvalid([packing, (cause as Error).message], { cause })
  } finally {
    decoder.destroy()
    input.destroy()
  }
}
