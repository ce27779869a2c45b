/**
 * Reads tar archives that users bring (ADD, imports): plain or compressed with gzip, zstd, bzip2 or xz, as their first bytes
 * say. Where the entries go is the caller's affair.
 */
import { createReadStream } from 'node:fs'
import { BuildError, throwIfAborted } from '../errors.ts'
import { decompress, type Packing, peek } from './decompress.ts'
import { layerErrors } from './errors.ts'
import type { TarEntry } from './tar-header.ts'
import { TarReader } from './tar-reader.ts'

/** One entry; its content can be read until the next entry is asked for. */
export interface ArchiveEntry {
  /** As in the archive: paths are not yet cleaned and may point anywhere. */
  readonly header: TarEntry
  /** Pieces are valid until the next one is asked for. */
  readonly body: AsyncIterable<Buffer>
}

/**
 * The entries of an archive, in order. Data after its end mark is read and, where it is compressed, checked.
 *
 * @throws TAR_INVALID, TAR_TRUNCATED, TAR_ENTRY_UNSUPPORTED, COMPRESSION_INVALID
 */
export async function* readArchive(
  stream: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<ArchiveEntry> {
  const { packing, chunks } = await peek(stream)
  const tar = new TarReader(decompressAny(chunks, packing, signal))
  const body: AsyncIterable<Buffer> = {
    async *[Symbol.asyncIterator]() {
      for (let piece = await tar.read(); piece; piece = await tar.read()) yield piece
    },
  }
  try {
    for (let header = await tar.next(); header; header = await tar.next()) {
      throwIfAborted(signal)
      yield { header, body }
    }
    await tar.drain()
  } finally {
    await tar.close()
  }
}

/** Whether a regular file is an archive that {@link readArchive} reads: its first header is a good one. */
export async function isArchive(path: string | Buffer, signal?: AbortSignal): Promise<boolean> {
  const file = createReadStream(path)
  try {
    const { packing, chunks } = await peek(file)
    const tar = new TarReader(decompressAny(chunks, packing, signal))
    try {
      return (await tar.next()) !== undefined
    } finally {
      await tar.close()
    }
  } catch (error) {
    throwIfAborted(signal)
    if (error instanceof BuildError) return false
    throw error
  } finally {
    file.destroy()
  }
}

/** Decompresses any {@link Packing}. @throws COMPRESSION_INVALID */
export function decompressAny(
  chunks: AsyncIterable<Uint8Array>,
  packing: Packing,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  if (packing === 'xz') return decompressXz(chunks, signal)
  return packing === 'bzip2' ? decompressBzip2(chunks, signal) : decompress(chunks, packing, signal)
}

/** Codes of the xz decoder that say «correct, but not supported» (XZ_MEMLIMIT_ERROR, XZ_OPTIONS_ERROR). */
const XZ_UNSUPPORTED = /error code [46]$/

async function* decompressXz(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const { XzReadableStream } = (await import('xz-decompress')).default
  const input = watch(chunks)
  const stream = new XzReadableStream(ReadableStream.from(input.chunks) as ReadableStream<Uint8Array>)
  try {
    for await (const chunk of stream) {
      throwIfAborted(signal)
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    }
  } catch (cause) {
    if (input.error) throw input.error
    if (cause instanceof BuildError) throw cause
    const why = XZ_UNSUPPORTED.test((cause as Error).message)
      ? 'its filters, SHA-256 check or dictionary of more than 64 MiB are not supported'
      : 'damaged or truncated'
    throw layerErrors.compressionInvalid(['xz', why], { cause })
  }
}

async function* decompressBzip2(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const { default: unbzip2 } = await import('unbzip2-stream')
  const input = watch(chunks)
  // An old kind of stream that does all its work inside of `write` and `end`: what came out is there when they return.
  const decoder = unbzip2()
  const out: Buffer[] = []
  let failure: unknown
  decoder.on('data', (chunk: Buffer) => out.push(chunk))
  decoder.on('error', (error: unknown) => {
    failure ??= error
  })
  try {
    for await (const chunk of input.chunks) {
      throwIfAborted(signal)
      decoder.write(chunk)
      if (failure !== undefined) throw failure
      yield* out.splice(0)
    }
    decoder.end()
    if (failure !== undefined) throw failure
    yield* out.splice(0)
  } catch (cause) {
    if (input.error) throw input.error
    if (cause instanceof BuildError) throw cause
    throw layerErrors.compressionInvalid(['bzip2', 'damaged or truncated'], { cause })
  }
}

/** Remembers a failure of the input, which must not be taken for one of the decoder. */
function watch(chunks: AsyncIterable<Uint8Array>): { chunks: AsyncGenerator<Buffer>; error?: unknown } {
  const watched: { chunks: AsyncGenerator<Buffer>; error?: unknown } = { chunks: pass() }
  async function* pass(): AsyncGenerator<Buffer> {
    try {
      // These decoders keep what they are given.
      for await (const chunk of chunks) yield Buffer.from(chunk)
    } catch (error) {
      watched.error = error
      throw error
    }
  }
  return watched
}
