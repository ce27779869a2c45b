/** The call that opens the images of the local store. */
import { RegistryError } from '@tsbuild/registry-client'
import { ImageStore } from '../image/image-store.ts'
import type { OpenOptions, Place } from '../options.ts'
import { callInStore } from './call-in-store.ts'
import { asBuildError } from './settings.ts'
import { openState } from './state.ts'
import { withTypedErrors } from './typed-errors.ts'

/**
 * The images of a store, and the lease that keeps prune off what is being copied. What their methods throw is a BuildError,
 * or a RegistryError where `copy` has to know it: of names, documents and of what it copies from.
 */
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
  return await callInStore('open', call, async ({ readOnly = false }, root) => {
    const store = await openState(root, readOnly ? 'read' : 'write')
    const lease = readOnly ? undefined : await store.lease(Date.now())
    const typed = (error: unknown): Error => (error instanceof RegistryError ? error : asBuildError(error, { root }))
    const images = withTypedErrors(new ImageStore(store, Date.now), typed)
    return withTypedErrors(
      { images, root, [Symbol.asyncDispose]: async () => await lease?.[Symbol.asyncDispose]() },
      typed,
    )
  })
}
