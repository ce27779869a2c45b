/** A store that is only read, with a directory beside it that takes what a call writes. */
import { existsSync } from 'node:fs'
import type { ContentStore } from './content-store.ts'
import { openStore, openStoreToRead, type Store } from './store.ts'

/**
 * Opens the store in `root` so that nothing is written to it: what is looked up is found there, and what is put goes to a
 * store of its own in `scratch`, whose end the caller sees to.
 *
 * @throws STORE_FORMAT when one of the directories holds something else
 */
export async function openStoreWithScratch(root: string, scratch: string): Promise<Store> {
  const below = await openStoreToRead(root)
  const above = await openStore(scratch)
  const holder = (digest: string): ContentStore =>
    existsSync(above.blobs.path(digest))
      ? above.blobs
      : existsSync(below.blobs.path(digest))
        ? below.blobs
        : above.blobs
  return {
    ...above,
    images: below.images,
    blobs: {
      ...above.blobs,
      has: (digest) => holder(digest).has(digest),
      size: (digest) => holder(digest).size(digest),
      open: (digest, signal) => holder(digest).open(digest, signal),
      verify: (digest, signal) => holder(digest).verify(digest, signal),
      read: (digest, limit) => holder(digest).read(digest, limit),
      path: (digest) => holder(digest).path(digest),
    },
    records: {
      ...above.records,
      get: async <T>(kind: string, key: string) =>
        (await above.records.get<T>(kind, key)) ?? (await below.records.get<T>(kind, key)),
    },
  }
}
