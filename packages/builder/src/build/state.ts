/** The state directory of a call. */
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storeErrors } from '../store/errors.ts'
import { openStoreWithScratch } from '../store/scratch.ts'
import { openStore, openStoreToRead, type Store } from '../store/store.ts'
import { hasCode } from '../util/has-code.ts'
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
    const reason = systemReason(error)
    if (NO_DIRECTORY.has(error.code)) throw storeErrors.storeFormat([root, reason], { cause: error })
    throw storeErrors.storeUnwritable([root, reason, error.code], { cause: error })
  }
}

/** Opens the store with a lease on it, which `resources` ends. */
export async function openStateToWrite(root: string, resources: AsyncDisposableStack): Promise<Store> {
  const store = await openState(root, 'write')
  resources.use(await store.lease(Date.now()))
  return store
}

/**
 * Opens the store with a lease on it, for a call that has to read it and can do without writing to it: when it cannot be
 * written, or is another user's, what the call fetches goes to a directory that ends with it.
 */
export async function openStateToAsk(root: string, resources: AsyncDisposableStack): Promise<Store> {
  try {
    return await openStateToWrite(root, resources)
  } catch (error) {
    if (!isRefusal(error)) throw error
    const scratch = await mkdtempDisposable(join(tmpdir(), 'tsbuild-scratch-'))
    resources.use(scratch)
    // What cannot be read either is told as it was found first.
    return await openStoreWithScratch(root, scratch.path).catch(() => Promise.reject(error))
  }
}

function isRefusal(error: unknown): boolean {
  return isSystemError(error) || hasCode(error, 'STORE_UNWRITABLE', 'STORE_OWNER')
}
