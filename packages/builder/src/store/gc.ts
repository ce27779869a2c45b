/** Deletes what is not needed: first what nothing refers to, then cache records and what only they hold, oldest first. */
import { statfs } from 'node:fs/promises'
import { throwIfAborted } from '../errors.ts'
import { type UsageFilter, usageMatcher } from './filter.ts'
import type { RecordInfo } from './records.ts'
import { type Removal, Remover } from './remove.ts'
import type { Store } from './store.ts'
import { type Inventory, isFree, type SnapshotTable, takeInventory, usageItems } from './usage.ts'
import type { UsageItem } from './usage-item.ts'

/** How much may be left, in bytes; 0 is as good as absent. What images with a name consist of does not count. */
export interface SpaceLimits {
  /** Stop as soon as no more than this is left. */
  readonly maxUsedSpace?: number | undefined
  /** Stop as soon as the file system has this much room. */
  readonly minFreeSpace?: number | undefined
  /** So much stays, whatever the others say. Alone: stop as soon as no more than this is left. */
  readonly reservedSpace?: number | undefined
}

export interface PruneOptions extends SpaceLimits {
  /** Also the cache of images that have a name, so that their next build starts from nothing. Images themselves stay. */
  readonly all?: boolean | undefined
  /** Only what fulfils all of these. A record goes with what it holds. */
  readonly filters?: readonly UsageFilter[] | undefined
  /** Only what was last used before this time, milliseconds since the epoch. */
  readonly until?: number | undefined
  /** Delete nothing, only tell. */
  readonly dryRun?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface PruneResult {
  /** In the order of deletion. */
  readonly removed: readonly UsageItem[]
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
  plan.reduceTo(await bytesToKeep(options, plan.used, store.root))
  if (options.dryRun) return { removed: plan.items, freed: plan.total - plan.left, left: plan.left, skipped: [] }
  await using remover = await Remover.open(store, snapshots, inventory)
  for (let at = 0; at < plan.removed.length; at += BATCH) {
    throwIfAborted(options.signal)
    await remover.remove(plan.removed.slice(at, at + BATCH), now)
  }
  await remover.detach(now)
  const skipped = await remover.finish()
  await store.locks.sweep()
  const removed = remover.removed.map(({ item }) => item)
  const freed = removed.reduce((bytes, { size }) => bytes + size, 0)
  return { removed, freed, left: plan.total - freed, skipped }
}

/** So few at a time that builds hardly wait for it. */
const BATCH = 32

/** What the limits come to together, as BuildKit has it. */
async function bytesToKeep(limits: SpaceLimits, used: number, root: string): Promise<number> {
  const { maxUsedSpace = 0, minFreeSpace = 0, reservedSpace = 0 } = limits
  let most = maxUsedSpace === 0 ? Number.POSITIVE_INFINITY : maxUsedSpace
  if (minFreeSpace > 0) {
    const { bavail, bsize } = await statfs(root)
    most = Math.min(most, used - Math.max(0, minFreeSpace - bavail * bsize))
  } else if (maxUsedSpace === 0) most = 0
  return Math.max(most, reservedSpace)
}

/** Decides what goes, on paper. */
class Plan {
  readonly removed: Removal[] = []
  readonly total: number
  left: number
  /** Bytes of what is left and no image with a name consists of. */
  used: number
  readonly #inventory: Inventory
  readonly #items: readonly UsageItem[]
  readonly #until: number
  readonly #all: boolean
  /** Keys of what the filters mean. */
  readonly #meant: ReadonlySet<string>
  readonly #things: ReadonlyMap<string, UsageItem>
  /** Blob or snapshot → number of records that need it. */
  readonly #users = new Map<string, number>()

  constructor(inventory: Inventory, { until, all, filters = [] }: PruneOptions) {
    this.#inventory = inventory
    this.#until = until ?? Number.POSITIVE_INFINITY
    this.#all = all === true
    this.#items = usageItems(inventory)
    this.#meant = new Set(this.#items.filter(usageMatcher(filters)).map(keyOf))
    this.#things = new Map(this.#items.map((item) => [keyOf(item), item]))
    this.total = this.#items.reduce((bytes, { size }) => bytes + size, 0)
    this.left = this.total
    this.used = this.#items.reduce((bytes, { size, shared }) => bytes + (shared ? 0 : size), 0)
    for (const { refs } of inventory.records) {
      for (const id of [...refs.blobs, ...refs.snapshots]) this.#users.set(id, (this.#users.get(id) ?? 0) + 1)
    }
  }

  get items(): readonly UsageItem[] {
    return this.removed.map(({ item }) => item)
  }

  /** Drops what may go until no more than this is used. */
  reduceTo(most: number): void {
    for (const drop of [...this.#unreferenced(), ...this.#candidates()]) {
      if (this.used <= most && most > 0) return
      drop()
    }
  }

  #unreferenced(): (() => void)[] {
    const things = this.#items.filter(({ kind }) => kind === 'blob' || kind === 'snapshot')
    // Blobs first.
    const ordered = [...things].sort((a, b) => (a.kind < b.kind ? -1 : Number(a.kind > b.kind)))
    return ordered.filter((item) => this.#meant.has(keyOf(item))).map((item) => () => this.#dropIfUnused(item))
  }

  /** Records that may go, and what is nobody's, least recently used first. */
  #candidates(): (() => void)[] {
    const records = new Map(this.#inventory.records.map((record) => [recordKey(record), record]))
    return this.#items.flatMap((item) => {
      if (!item.reclaimable || item.lastUsed >= this.#until) return []
      if (item.kind === 'mount' || item.kind === 'context')
        return this.#meant.has(keyOf(item)) ? [() => this.#drop({ kind: item.kind, item } as Removal)] : []
      const record = item.kind === 'record' ? records.get(keyOf(item)) : undefined
      if (record === undefined || (item.shared && !this.#all)) return []
      const { blobs, snapshots } = record.refs
      const held = [...blobs.map((id) => `blob ${id}`), ...snapshots.map((id) => `snapshot ${id}`)]
      const isMeant = [keyOf(item), ...held].some((key) => this.#meant.has(key))
      return isMeant ? [() => this.#dropRecord(item, record)] : []
    })
  }

  #dropRecord(item: UsageItem, record: RecordInfo): void {
    this.#drop({ kind: 'record', item, record })
    const { blobs, snapshots } = record.refs
    for (const id of [...blobs, ...snapshots]) this.#users.set(id, this.#users.get(id)! - 1)
    for (const id of new Set(blobs)) this.#dropIfUnused(this.#things.get(`blob ${id}`))
    for (const id of new Set(snapshots)) this.#dropIfUnused(this.#things.get(`snapshot ${id}`))
  }

  #dropIfUnused(item: UsageItem | undefined): void {
    if (!item || (this.#users.get(item.id) ?? 0) > 0) return
    if (isFree(this.#inventory, item) && item.lastUsed < this.#until) this.#drop({ kind: item.kind, item } as Removal)
  }

  #drop(removal: Removal): void {
    this.removed.push(removal)
    this.left -= removal.item.size
    if (!removal.item.shared) this.used -= removal.item.size
  }
}

/** Records of two kinds can have one key. */
function keyOf({ kind, id, description }: UsageItem): string {
  return kind === 'record' ? recordKey({ kind: description!, key: id }) : `${kind} ${id}`
}

function recordKey({ kind, key }: Pick<RecordInfo, 'kind' | 'key'>): string {
  return `record ${kind} ${key}`
}
