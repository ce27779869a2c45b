/** Layers of base images in another compression: made once and remembered by the layer they come from. */

import { hashKey } from '../graph/key.ts'
import type { Layer } from '../graph/layer.ts'
import { LAYER_TYPES } from '../layer/pack.ts'
import { recompressLayer } from '../layer/recompress.ts'
import type { CompressionOptions } from '../steps/layer-stack.ts'
import type { Session } from './session.ts'

/** The layer itself if it is compressed so already, or is none that may be changed (foreign layers). */
export async function recompressedLayer(
  blob: Layer,
  { compression, level }: CompressionOptions,
  session: Session,
): Promise<Layer> {
  const { store, signal } = session
  const { mediaType, digest } = blob.descriptor
  const now = compressionOf(mediaType)
  if (now === undefined || now === compression) return blob
  const key = hashKey('recompress', digest, compression, level)
  const known = await store.records.get<Layer>('rewrite', key)
  if (known && (await store.blobs.has(known.descriptor.digest))) return known
  await using file = store.blobs.temporaryFile('recompress')
  const source = store.blobs.open(digest, signal)
  const options = { compression, level, pieces: store.pieces, diffID: blob.diffID, signal }
  const { digest: newDigest, size, pieces } = await recompressLayer(source, options, file.path)
  const descriptor = { mediaType: LAYER_TYPES[compression], digest: newDigest, size }
  await store.blobs.adopt(file.path, descriptor)
  const result = { descriptor, diffID: blob.diffID }
  await store.records.put('rewrite', key, result, { blobs: [newDigest] })
  if (pieces) await store.pieces.save(newDigest, pieces)
  return result
}

/** Of a layer's media type; undefined for other types. */
function compressionOf(mediaType: string): CompressionOptions['compression'] | undefined {
  if (/foreign|nondistributable/.test(mediaType)) return undefined
  if (/\.tar[.+]gzip$/.test(mediaType)) return 'gzip'
  if (/\.tar[.+]zstd$/.test(mediaType)) return 'zstd'
  return /\.tar$/.test(mediaType) ? 'none' : undefined
}
