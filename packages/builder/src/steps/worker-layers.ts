/** Operations of the worker on layers and whole root filesystems. */
import { createReadStream } from 'node:fs'
import { packLayer, SMALL_LAYER } from '../layer/pack.ts'
import { unpackLayer } from '../layer/unpack.ts'
import type { Pieces } from '../store/pieces.ts'
import type { Incomplete, PackResult, WorkerOperations } from './worker-api.ts'
import type { OperationContext } from './worker-files.ts'

type Params<O extends keyof WorkerOperations> = WorkerOperations[O]['params']

/** Bytes read from a blob at a time. */
const CHUNK = 256 * 1024

/** Unpacks a layer blob as a snapshot; says what could not be had of it. */
export async function unpackBlob(
  { id, below, blob, mediaType, diffID }: Params<'layer.unpack'>,
  { snapshotter, signal }: OperationContext,
): Promise<Incomplete | undefined> {
  if (await snapshotter.has(id)) return undefined
  await using active = await snapshotter.prepare(below, signal)
  const files = new Set<string>()
  let example = ''
  const onSkipped = (path: string, why: string): void => {
    if (files.size === 0) example = `/${path}: ${why}`
    files.add(path)
  }
  const stream = createReadStream(blob, { highWaterMark: CHUNK })
  await unpackLayer(stream, mediaType, { root: active.root, diffID, signal, onSkipped })
  await active.commit(id)
  return files.size === 0 ? undefined : { files: files.size, example }
}

/** Packs a snapshot's changes as a layer blob. */
export async function packSnapshot(
  { id, out, compression, level }: Params<'layer.pack'>,
  { snapshotter, signal, emit }: OperationContext,
  pieces: Pieces,
): Promise<PackResult> {
  await snapshotter.verify([id], 'files')
  const packed = await packLayer(
    snapshotter.changes(id, signal),
    {
      compression,
      level,
      pieces,
      signal,
      inMemory: SMALL_LAYER,
      onProgress: (bytes) => void emit({ type: 'progress', item: 'packing layer', current: bytes, total: 0 }),
    },
    out,
  )
  const { mediaType, diffID, digest, size, content } = packed
  return { mediaType, diffID, digest, size, content, pieces: packed.pieces }
}
