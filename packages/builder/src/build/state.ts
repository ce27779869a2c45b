/** The state directory of a call. */
import { storeErrors } from '../store/errors.ts'
import { openStore, openStoreToRead, type Store } from '../store/store.ts'
import { isSystemError, systemReason } from '../util/system-error.ts'

/** Why a directory is none that a store can be in, as opposed to one that refuses to be written. */
const NO_DIRECTORY: ReadonlySet<string | undefined> = new Set(['ENOTDIR', 'EEXIST', 'ENOENT', 'ELOOP', 'ENAMETOOLONG'])

/**
 * Opens the store; what stands in the way of its directory is told in the caller's words, not with names inside it.
 *
 * @param access `read`: only to look, so it may be one that cannot be written
 * @throws BuildError STORE_FORMAT, STORE_OWNER, STORE_UNWRITABLE
 */
export async function openState(root: string, access: 'read' | 'write'): Promise<Store> {
  try {
    return await (access === 'read' ? openStoreToRead(root) : openStore(root))
  } catch (error) {
    if (!isSystemError(error)) throw error
    const refused = NO_DIRECTORY.has(error.code) ? storeErrors.storeFormat : storeErrors.storeUnwritable
    throw refused([root, systemReason(error)], { cause: error })
  }
}
