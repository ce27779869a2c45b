/** The blobs of layers, wherever they are. */
import { type Source, selfVerifying } from '@tsbuild/registry-client'
import { ImageStore } from '../image/image-store.ts'
import type { StackLayer } from '../steps/layer-stack.ts'
import type { LayerService } from '../steps/layers.ts'
import type { Store } from '../store/store.ts'

/**
 * The store as what outputs and caches copy from. A blob of `layers` that is elsewhere is fetched when it is opened: a
 * registry that has it needs no bytes.
 */
export function blobSource(store: Store, service: LayerService, layers: Iterable<StackLayer>): Source {
  const images = new ImageStore(store, Date.now)
  const elsewhere = new Map(
    Array.from(layers).flatMap((layer) =>
      layer.source && layer.known ? [[layer.known.descriptor.digest as string, layer] as const] : [],
    ),
  )
  return {
    resolve: (reference) => images.resolve(reference),
    fetchManifest: (reference) => images.fetchManifest(reference),
    openBlob(descriptor, options) {
      const layer = elsewhere.get(descriptor.digest)
      if (layer === undefined) return images.openBlob(descriptor, options)
      async function* chunks() {
        await service.stored(layer!)
        yield* images.openBlob(descriptor, options)
      }
      return options?.offset ? chunks() : selfVerifying(chunks(), descriptor.digest)
    },
  }
}
