/** What a build knows that a shared cache is to know: results of its steps, found or made. */
import type { Layer } from '../graph/layer.ts'
import { type Compression, formatCompression } from './compression.ts'
import type { CacheDocument, CacheRecord } from './document.ts'

/** A step of a build. */
export interface SharedStep extends Omit<CacheRecord, 'layer' | 'compression'> {
  /** Whether its layer is part of an image that was built. */
  readonly isInImage: boolean
  /** Its blob, which is made if need be, and how it is compressed; undefined: there is nothing to be handed on. */
  readonly layer: (() => Promise<{ readonly layer: Layer; readonly compression: Compression } | undefined>) | undefined
}

/**
 * The document of a cache: all steps, so that those which stand on others are found by these, and layers of the steps
 * that `mode` says. A layer that is not there is no reason to leave out the step.
 */
export async function collectDocument(
  steps: readonly SharedStep[],
  fingerprints: ReadonlyMap<string, string>,
  mode: 'min' | 'max',
): Promise<CacheDocument> {
  const records = await Promise.all(
    steps.map(async ({ isInImage, layer: make, ...record }) => {
      const made = mode === 'max' || isInImage ? await make?.() : undefined
      return { ...record, layer: made?.layer, compression: made && formatCompression(made.compression) }
    }),
  )
  return { records, fingerprints }
}
