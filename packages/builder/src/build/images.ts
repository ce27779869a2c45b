/** The call that opens the images of the local store. */
import { ImageStore } from '../image/image-store.ts'
import { stateRoot } from './settings.ts'
import { openState } from './state.ts'

/** Where the store is. */
export interface StoreOptions {
  /** Where state is kept; default $TSBUILD_ROOT, else $XDG_DATA_HOME/tsbuild. */
  readonly root?: string | undefined
  /** Environment that the default is read from; default process.env. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
}

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
export async function openImages(options: StoreOptions = {}): Promise<OpenedImages> {
  const root = stateRoot(options.root, options.env ?? process.env)
  const store = await openState(root)
  const lease = await store.lease(Date.now())
  return {
    images: new ImageStore(store, Date.now),
    root,
    [Symbol.asyncDispose]: () => lease[Symbol.asyncDispose](),
  }
}
