/** Operations of the worker on layers and whole root filesystems. */
import { createReadStream } from 'node:fs'
import { packLayer } from '../layer/pack.ts'
import { unpackLayer } from '../layer/unpack.ts'
import type { PackResult, WorkerOperations } from './worker-api.ts'
import type { OperationContext } from './worker-files.ts'

type Params<O extends keyof WorkerOperations> = WorkerOperations[O]['params']

/** Bytes read from a blob at a time. */
const CHUNK = 256 * 1024

/** Unpacks a layer blob as a snapshot. */
export async function unpackBlob(
  { id, below, blob, mediaType, diffID }: Params<'layer.unpack'>,
  { snapshotter, signal }: OperationContext,
): Promise<void> {
  if (await snapshotter.has(id)) return
  await using active = await snapshotter.prepare(below, signal)
  await unpackLayer(createReadStream(blob, { highWaterMark: CHUNK }), mediaType, { root: active.root, diffID, signal })
  await active.commit(id)
}

/** Blobs up to this size are sent, not written: that costs less, and many are in the store already. */
const SMALL = 64 * 1024

/** Packs a snapshot's changes as a layer blob. */
export async function packSnapshot(
  { id, out, compression, level }: Params<'layer.pack'>,
  { snapshotter, signal, emit }: OperationContext,
): Promise<PackResult> {
  const { mediaType, diffID, digest, size, content } = await packLayer(
    snapshotter.changes(id, signal),
    {
      compression,
      level,
      signal,
      inMemory: SMALL,
      onProgress: (bytes) => void emit({ type: 'progress', item: 'packing layer', current: bytes, total: 0 }),
    },
    out,
  )
  return { mediaType, diffID, digest, size, content }
}
