/** The call that opens the images of the local store. */
import { ImageStore } from '../image/image-store.ts'
import type { OpenOptions, Place } from '../options.ts'
import { checkOptions } from './option-schema.ts'
import { asBuildError, stateRoot } from './settings.ts'
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
export async function openImages(call: OpenOptions<Place> = {}): Promise<OpenedImages> {
  const options = checkOptions('open', call)
  const root = stateRoot(options.root, options.env ?? process.env)
  try {
    const store = await openState(root, options.readOnly ? 'read' : 'write')
    const lease = options.readOnly ? undefined : await store.lease(Date.now())
    return {
      images: new ImageStore(store, Date.now),
      root,
      [Symbol.asyncDispose]: async () => await lease?.[Symbol.asyncDispose](),
    }
  } catch (error) {
    throw asBuildError(error, { root })
  }
}
