/** Packs a layer again with other times (SOURCE_DATE_EPOCH with rewrite-timestamp), everything else as it is. */
import { BlobFile } from './blob-file.ts'
import { CompressedWriter, type CompressOptions } from './compress.ts'
import { decompress, peek } from './decompress.ts'
import { layerErrors } from './errors.ts'
import { LAYER_TYPES, type PackedLayer } from './pack.ts'
import type { TarEntry } from './tar-header.ts'
import { TarReader } from './tar-reader.ts'
import { TarWriter } from './tar-writer.ts'

export interface RewriteOptions extends CompressOptions {
  /** The modification time that an entry gets, in seconds. */
  readonly mapTime: (entry: TarEntry) => number
  readonly onProgress?: ((bytes: number) => void) | undefined
}

/**
 * Writes the layer to a new file, ready for `ContentStore.adopt`. The same layer and times give the same bytes everywhere.
 *
 * @param stream the layer as stored: plain, gzip or zstd
 * @throws COMPRESSION_INVALID, TAR_INVALID, TAR_TRUNCATED
 */
export async function rewriteLayer(
  stream: AsyncIterable<Uint8Array>,
  options: RewriteOptions,
  out: string,
): Promise<PackedLayer> {
  const { packing, chunks } = await peek(stream)
  if (packing === 'bzip2' || packing === 'xz') throw layerErrors.mediaTypeUnknown([packing])
  const reader = new TarReader(decompress(chunks, packing, options.signal))
  await using file = new BlobFile(out, 0)
  const compressed = new CompressedWriter(file, options)
  try {
    const writer = new TarWriter(compressed, options.onProgress)
    let entries = 0
    for (let entry = await reader.next(); entry; entry = await reader.next()) {
      await writer.header({ ...entry, mtime: options.mapTime(entry) })
      for (let piece = await reader.read(); piece; piece = await reader.read()) await writer.bytes(piece)
      await writer.padding(entry.size)
      entries++
    }
    await reader.drain()
    return { mediaType: LAYER_TYPES[options.compression], ...(await writer.end()), entries, content: undefined }
  } finally {
    await reader.close()
    await compressed.settle()
  }
}
