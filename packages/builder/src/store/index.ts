/** State on disk: blobs, image names, records, locks; its disk usage and pruning. */
export type { BlobInfo, ContentStore, ExpectedBlob, TemporaryPath } from './content-store.ts'
export { storeErrors } from './errors.ts'
export { type PruneOptions, type PruneResult, prune } from './gc.ts'
export type { Lease, Locks, StoreRefs } from './locks.ts'
export type { RecordInfo, Records } from './records.ts'
export type { Images, NamedImage } from './refs.ts'
export { openStore, type Store } from './store.ts'
export { diskUsage, type SnapshotTable, type StoredThing, type Usage, type UsageItem } from './usage.ts'
