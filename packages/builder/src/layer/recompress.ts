/** Compresses a layer again, its archive byte by byte as it is. */
import { createHash } from 'node:crypto'
import { BlobFile } from './blob-file.ts'
import { type CompressedBlob, CompressedWriter, type CompressOptions } from './compress.ts'
import { decompress, peek } from './decompress.ts'
import { layerErrors } from './errors.ts'

export interface RecompressOptions extends CompressOptions {
  /** What the archive must be. */
  readonly diffID: string
}

/**
 * Writes the layer to a new file, ready for `ContentStore.adopt`.
 *
 * @param stream the layer as stored: plain, gzip or zstd
 * @throws COMPRESSION_INVALID, DIFF_ID_MISMATCH
 */
export async function recompressLayer(
  stream: AsyncIterable<Uint8Array>,
  { diffID, ...options }: RecompressOptions,
  out: string,
): Promise<CompressedBlob> {
  const { packing, chunks } = await peek(stream)
  if (packing === 'bzip2' || packing === 'xz') throw layerErrors.mediaTypeUnknown([packing])
  await using file = new BlobFile(out, 0)
  const writer = new CompressedWriter(file, options)
  try {
    const hash = createHash('sha256')
    let chunk = writer.buffer()
    let length = 0
    for await (const piece of decompress(chunks, packing, options.signal)) {
      hash.update(piece)
      for (let at = 0; at < piece.length; ) {
        const part = piece.subarray(at, at + writer.chunkSize - length)
        chunk.set(part, length)
        length += part.length
        at += part.length
        if (length < writer.chunkSize) continue
        await writer.write(chunk, length)
        chunk = writer.buffer()
        length = 0
      }
    }
    if (length > 0) await writer.write(chunk, length)
    const found = `sha256:${hash.digest('hex')}`
    if (found !== diffID) throw layerErrors.diffIdMismatch([diffID, found])
    return await writer.end()
  } finally {
    await writer.settle()
  }
}
