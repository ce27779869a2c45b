/** Unpacks layers into root filesystems. */
import { readFileSync } from 'node:fs'
import { LayerApplier, type OnSkipped } from './apply.ts'
import { type ReadLayer, type ReadLayerOptions, readLayer } from './read-layer.ts'

export interface UnpackOptions extends ReadLayerOptions {
  /** Root of an active snapshot that was prepared on the layers below, which nothing else changes meanwhile. */
  readonly root: string
  /**
   * Owners that are not mapped here become the caller instead of an error. Default: in a user namespace that has only one
   * id, where no image could be unpacked otherwise.
   */
  readonly squashOwners?: boolean | undefined
  /** Told of what cannot be made here, e.g. device nodes without privileges. */
  readonly onSkipped?: OnSkipped | undefined
}

/**
 * Unpacks a layer on top of what `root` shows. When this rejects, the root is in an undefined state and must be disposed,
 * not committed.
 *
 * @throws as {@link readLayer}; UNPACK_FAILED
 */
export async function unpackLayer(
  stream: AsyncIterable<Uint8Array>,
  mediaType: string,
  options: UnpackOptions,
): Promise<ReadLayer> {
  const { root, squashOwners = hasOneId(), onSkipped = () => undefined } = options
  const applier = new LayerApplier(root, squashOwners, onSkipped)
  const layer = await readLayer(stream, mediaType, options, (entry, read) => applier.apply(entry, read))
  applier.finish()
  return layer
}

function hasOneId(): boolean {
  try {
    const maps = readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n')
    return maps.length === 1 && maps[0]!.trim().split(/\s+/)[2] === '1'
  } catch {
    return false
  }
}
