/** Reads layers as they are stored, entry by entry, and verifies them. */
import { Digester, mediaTypes } from '@tsbuild/registry-client'
import { throwIfAborted } from '../errors.ts'
import { decompress, peek } from './decompress.ts'
import { layerErrors } from './errors.ts'
import type { TarEntry } from './tar-header.ts'
import { TarReader } from './tar-reader.ts'

export interface ReadLayerOptions {
  /** Digest that the uncompressed layer must have; undefined: not checked. */
  readonly diffID: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Called now and then with the uncompressed bytes so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined
}

/** A layer that was read to its end. */
export interface ReadLayer {
  readonly diffID: `sha256:${string}`
  readonly uncompressedSize: number
  readonly entries: number
}

/** The content of an entry, piece by piece; each is valid until the next one is asked for. */
export type ReadPiece = () => Promise<Buffer | undefined>

const LAYER_MEDIA_TYPES: ReadonlySet<string> = new Set([
  mediaTypes.ociLayer,
  mediaTypes.ociLayerGzip,
  mediaTypes.ociLayerZstd,
  mediaTypes.ociForeignLayer,
  mediaTypes.ociForeignLayerGzip,
  mediaTypes.ociForeignLayerZstd,
  mediaTypes.dockerLayer,
  mediaTypes.dockerLayerGzip,
  mediaTypes.dockerLayerZstd,
  mediaTypes.dockerForeignLayer,
])

/**
 * Reads a layer. The compression is recognised by its magic number, since some tools write the wrong media type. Nothing
 * that was made of its entries counts before this has resolved.
 *
 * @param stream the layer as stored; verified by whoever opened it
 * @param visit is awaited for each entry. `enough` ends the reading: by one who can prove what was read by other means, as
 *   nothing is known of the layer then, and undefined returned
 * @throws LAYER_TYPE_UNKNOWN, COMPRESSION_INVALID, TAR_INVALID, TAR_TRUNCATED, DIFF_ID_MISMATCH
 */
export function readLayer(
  stream: AsyncIterable<Uint8Array>,
  mediaType: string,
  options: ReadLayerOptions,
  visit: (entry: TarEntry, read: ReadPiece) => Promise<void>,
): Promise<ReadLayer>
export function readLayer(
  stream: AsyncIterable<Uint8Array>,
  mediaType: string,
  options: ReadLayerOptions,
  visit: (entry: TarEntry, read: ReadPiece) => Promise<'enough' | undefined>,
): Promise<ReadLayer | undefined>
export async function readLayer(
  stream: AsyncIterable<Uint8Array>,
  mediaType: string,
  options: ReadLayerOptions,
  visit: (entry: TarEntry, read: ReadPiece) => Promise<'enough' | undefined | void>,
): Promise<ReadLayer | undefined> {
  if (!LAYER_MEDIA_TYPES.has(mediaType)) throw layerErrors.mediaTypeUnknown([mediaType])
  const { packing, chunks } = await peek(stream)
  if (packing === 'bzip2' || packing === 'xz') throw layerErrors.mediaTypeUnknown([`${mediaType} with ${packing} data`])
  const digester = new Digester('sha256')
  const tar = new TarReader(hashed(decompress(chunks, packing, options.signal), digester, options))
  const read = () => tar.read()
  try {
    let entries = 0
    for (let entry = await tar.next(); entry; entry = await tar.next()) {
      if ((await visit(entry, read)) === 'enough') return undefined
      entries++
    }
    await tar.drain()
    const diffID = digester.digest() as `sha256:${string}`
    if (options.diffID !== undefined && options.diffID !== diffID)
      throw layerErrors.diffIdMismatch([options.diffID, diffID])
    return { diffID, uncompressedSize: digester.size, entries }
  } finally {
    await tar.close()
  }
}

async function* hashed(
  chunks: AsyncIterable<Buffer>,
  digester: Digester,
  { signal, onProgress }: ReadLayerOptions,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    throwIfAborted(signal)
    digester.update(chunk)
    onProgress?.(digester.size)
    yield chunk
  }
}
