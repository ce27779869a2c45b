/** Unpacks layers into root filesystems. */
import { readFileSync } from 'node:fs'
import { Digester, mediaTypes } from '@tsbuild/registry-client'
import { throwIfAborted } from '../errors.ts'
import { LayerApplier, type OnSkipped } from './apply.ts'
import { decompress, peek } from './decompress.ts'
import { layerErrors } from './errors.ts'
import { TarReader } from './tar-reader.ts'

export interface UnpackOptions {
  /** Digest that the uncompressed layer must have; undefined: not checked. */
  readonly diffID: string | undefined
  /** Root of an active snapshot that was prepared on the layers below, which nothing else changes meanwhile. */
  readonly root: string
  /**
   * Owners that are not mapped here become the caller instead of an error. Default: in a user namespace that has only one
   * id, where no image could be unpacked otherwise.
   */
  readonly squashOwners?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Told of what cannot be made here, e.g. device nodes without privileges. */
  readonly onSkipped?: OnSkipped | undefined
  /** Called now and then with the uncompressed bytes so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined
}

/** What was unpacked. */
export interface UnpackedLayer {
  readonly diffID: `sha256:${string}`
  readonly uncompressedSize: number
  readonly entries: number
}

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
 * Unpacks a layer on top of what `root` shows. The compression is recognised by its magic number, since some tools write
 * the wrong media type. When this rejects, the root is in an undefined state and must be disposed, not committed.
 *
 * @param stream the layer as stored; verified by whoever opened it
 * @throws LAYER_TYPE_UNKNOWN, COMPRESSION_INVALID, TAR_INVALID, TAR_TRUNCATED, DIFF_ID_MISMATCH, UNPACK_FAILED
 */
export async function unpackLayer(
  stream: AsyncIterable<Uint8Array>,
  mediaType: string,
  options: UnpackOptions,
): Promise<UnpackedLayer> {
  if (!LAYER_MEDIA_TYPES.has(mediaType)) throw layerErrors.mediaTypeUnknown([mediaType])
  const { packing, chunks } = await peek(stream)
  if (packing === 'bzip2' || packing === 'xz') throw layerErrors.mediaTypeUnknown([`${mediaType} with ${packing} data`])
  const digester = new Digester('sha256')
  const tar = new TarReader(hashed(decompress(chunks, packing, options.signal), digester, options))
  try {
    const applier = new LayerApplier(
      options.root,
      options.squashOwners ?? hasOneId(),
      options.onSkipped ?? (() => undefined),
    )
    let entries = 0
    for (let entry = await tar.next(); entry; entry = await tar.next()) {
      await applier.apply(entry, () => tar.read())
      entries++
    }
    await tar.drain()
    const diffID = digester.digest() as `sha256:${string}`
    if (options.diffID !== undefined && options.diffID !== diffID)
      throw layerErrors.diffIdMismatch([options.diffID, diffID])
    applier.finish()
    return { diffID, uncompressedSize: digester.size, entries }
  } finally {
    await tar.close()
  }
}

async function* hashed(
  chunks: AsyncIterable<Buffer>,
  digester: Digester,
  { signal, onProgress }: UnpackOptions,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    throwIfAborted(signal)
    digester.update(chunk)
    onProgress?.(digester.size)
    yield chunk
  }
}

function hasOneId(): boolean {
  try {
    const maps = readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n')
    return maps.length === 1 && maps[0]!.trim().split(/\s+/)[2] === '1'
  } catch {
    return false
  }
}
