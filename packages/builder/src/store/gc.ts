/** Deletes what is not needed: first what nothing refers to, then cache records and what only they hold, oldest first. */
import { throwIfAborted } from '../errors.ts'
import type { RecordInfo } from './records.ts'
import { type Removal, Remover } from './remove.ts'
import type { Store } from './store.ts'
import { type Inventory, isFree, type SnapshotTable, type StoredThing, takeInventory, type UsageItem } from './usage.ts'

export interface PruneOptions {
  /** Also the cache of images that have a name, so that their next build starts from nothing. Images themselves stay. */
  readonly all?: boolean | undefined
  /** Stop as soon as no more than this many bytes are left. */
  readonly keepStorage?: number | undefined
  /** Only what was last used before this time, milliseconds since the epoch. */
  readonly until?: number | undefined
  /** Delete nothing, only tell. */
  readonly dryRun?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface PruneResult {
  /** In the order of deletion. */
  readonly removed: readonly Pick<UsageItem, 'kind' | 'id' | 'size'>[]
  /** Bytes. */
  readonly freed: number
  readonly left: number
  /** What could not be deleted, and why. */
  readonly skipped: readonly string[]
}

/**
 * Prunes a store. Builds that run meanwhile keep what they use (see Lease); two prunes wait for each other.
 *
 * @param snapshots undefined where no worker can be asked: snapshots then stay
 */
export async function prune(
  store: Store,
  snapshots: SnapshotTable | undefined,
  options: PruneOptions,
  now: number,
): Promise<PruneResult> {
  await using _alone = options.dryRun ? undefined : await store.locks.acquire('prune', options.signal)
  const inventory = await takeInventory(store, snapshots, now)
  const plan = new Plan(inventory, options)
  plan.dropUnreferenced()
  for (const record of candidates(inventory, options)) {
    if (plan.left <= (options.keepStorage ?? -1)) break
    plan.dropRecord(record)
  }
  if (options.dryRun) return { removed: plan.removed, freed: plan.total - plan.left, left: plan.left, skipped: [] }
  await using remover = await Remover.open(store, snapshots, inventory)
  for (let at = 0; at < plan.removed.length; at += BATCH) {
    throwIfAborted(options.signal)
    await remover.remove(plan.removed.slice(at, at + BATCH), now)
  }
  await remover.detach(now)
  const skipped = await remover.finish()
  const freed = remover.removed.reduce((bytes, { size }) => bytes + size, 0)
  return { removed: remover.removed, freed, left: plan.total - freed, skipped }
}

/** So few at a time that builds hardly wait for it. */
const BATCH = 32

/** Records that may go, least recently used first. */
function candidates(
  { records, images, since }: Inventory,
  { all, until = Number.POSITIVE_INFINITY }: PruneOptions,
): RecordInfo[] {
  const ofNamedImage = ({ refs }: RecordInfo) =>
    refs.blobs.length > 0 && refs.blobs.every((digest) => images.blobs.has(digest))
  return records
    .filter((record) => record.lastUsed < Math.min(until, since) && (all || !ofNamedImage(record)))
    .sort((a, b) => a.lastUsed - b.lastUsed)
}

/** Decides what goes, on paper. */
class Plan {
  readonly removed: Removal[] = []
  readonly total: number
  left: number
  readonly #inventory: Inventory
  readonly #until: number
  /** Blob or snapshot → number of records that need it. */
  readonly #users = new Map<string, number>()

  constructor(inventory: Inventory, { until }: PruneOptions) {
    this.#inventory = inventory
    this.#until = until ?? Number.POSITIVE_INFINITY
    const sizes = [...inventory.blobs.values(), ...inventory.snapshots.values(), ...inventory.records]
    this.total = sizes.reduce((bytes, { size }) => bytes + size, 0)
    this.left = this.total
    for (const { refs } of inventory.records) {
      for (const id of [...refs.blobs, ...refs.snapshots]) this.#users.set(id, (this.#users.get(id) ?? 0) + 1)
    }
  }

  dropUnreferenced(): void {
    for (const blob of this.#inventory.blobs.values()) this.#dropIfUnused('blob', blob)
    for (const snapshot of this.#inventory.snapshots.values()) this.#dropIfUnused('snapshot', snapshot)
  }

  dropRecord(record: RecordInfo): void {
    this.#drop({ kind: 'record', id: record.key, size: record.size, record })
    for (const id of [...record.refs.blobs, ...record.refs.snapshots]) this.#users.set(id, this.#users.get(id)! - 1)
    for (const id of new Set(record.refs.blobs)) this.#dropIfUnused('blob', this.#inventory.blobs.get(id))
    for (const id of new Set(record.refs.snapshots)) this.#dropIfUnused('snapshot', this.#inventory.snapshots.get(id))
  }

  #dropIfUnused(kind: 'blob' | 'snapshot', thing: StoredThing | undefined): void {
    if (!thing || (this.#users.get(thing.id) ?? 0) > 0) return
    if (isFree(this.#inventory, thing) && thing.lastUsed < this.#until)
      this.#drop({ kind, id: thing.id, size: thing.size })
  }

  #drop(removal: Removal): void {
    this.removed.push(removal)
    this.left -= removal.size
  }
}
