/** Layers with other times: made once and remembered by the layer they come from. */

import { hashKey } from '../graph/key.ts'
import type { Layer } from '../graph/layer.ts'
import { rewriteLayer } from '../layer/rewrite.ts'
import type { Session } from './session.ts'

/** @param epoch seconds: later times become this one */
export async function rewrittenLayer(blob: Layer, epoch: number, session: Session): Promise<Layer> {
  const { store, signal } = session
  const key = hashKey('rewrite', blob.descriptor.digest, epoch)
  let result = await store.records.get<Layer>('rewrite', key)
  if (!result || !(await store.blobs.has(result.descriptor.digest))) {
    await using file = store.blobs.temporaryFile('rewrite')
    const { descriptor } = blob
    const compression = descriptor.mediaType.endsWith('zstd')
      ? 'zstd'
      : descriptor.mediaType.endsWith('tar')
        ? 'none'
        : 'gzip'
    const packed = await rewriteLayer(
      store.blobs.open(descriptor.digest, signal),
      { mapTime: ({ mtime }) => Math.min(mtime, epoch), compression, pieces: store.pieces, signal },
      file.path,
    )
    const { mediaType, digest, size, diffID, pieces } = packed
    await store.blobs.adopt(file.path, { digest, size })
    result = { descriptor: { mediaType, digest, size }, diffID }
    await store.records.put('rewrite', key, result, { blobs: [digest] })
    if (pieces) await store.pieces.save(digest, pieces)
  }
  // As the reference marks rewritten layers.
  return {
    ...result,
    descriptor: { ...result.descriptor, annotations: { 'buildkit/rewritten-timestamp': String(epoch) } },
  }
}
