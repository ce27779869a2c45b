/** The state directory of a call. */
import { storeErrors } from '../store/errors.ts'
import { openStore, type Store } from '../store/store.ts'
import { isSystemError, systemReason } from '../util/system-error.ts'

/**
 * Opens the store; what stands in the way of its directory is told in the caller's words, not with names inside it.
 *
 * @throws BuildError STORE_FORMAT
 */
export async function openState(root: string): Promise<Store> {
  try {
    return await openStore(root)
  } catch (error) {
    if (!isSystemError(error)) throw error
    throw storeErrors.storeFormat([root, systemReason(error)], { cause: error })
  }
}
