/** The call that opens the images of the local store. */
import { ImageStore } from '../image/image-store.ts'
import type { Place, StoreOptions } from '../options.ts'
import { checkOptions } from './option-schema.ts'
import { stateRoot } from './settings.ts'
import { openState } from './state.ts'

/** The images of a store, and the lease that keeps prune off what is being copied. */
export interface OpenedImages extends AsyncDisposable {
  readonly images: ImageStore
  /** Absolute path of the store. */
  readonly root: string
}

/**
 * Opens the images of the local store; dispose it when done.
 *
 * @example
 * await using store = await openImages()
 * await copy(store.images, 'my-app:1.0', client.repository('registry.example/my-app'), '1.0')
 */
export async function openImages(call: StoreOptions<Place> = {}): Promise<OpenedImages> {
  const options = checkOptions('store', call)
  const root = stateRoot(options.root, options.env ?? process.env)
  const store = await openState(root)
  const lease = await store.lease(Date.now())
  return {
    images: new ImageStore(store, Date.now),
    root,
    [Symbol.asyncDispose]: () => lease[Symbol.asyncDispose](),
  }
}
