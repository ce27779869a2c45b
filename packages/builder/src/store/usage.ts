/** What is in a store and what holds what. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Descriptor,
  digestAlgorithm,
  digestOf,
  isDigest,
  isIndexType,
  isManifestType,
  parseManifest,
} from '@tsbuild/registry-client'
import type { RecordInfo } from './records.ts'
import type { Store } from './store.ts'

/** Committed snapshots, as the worker's snapshotter lists and removes them. */
export interface SnapshotTable {
  list(): AsyncIterable<StoredThing>
  /** Takes a snapshot out of reach, at once. Its content may be deleted later. */
  remove(id: string): Promise<void>
  /** Deletes what was removed. Returns what could not be deleted, and why. */
  purge(): Promise<readonly string[]>
}

/** A blob (id: digest) or snapshot. Times are milliseconds since the epoch, sizes bytes on disk. */
export interface StoredThing {
  readonly id: string
  readonly size: number
  readonly created: number
  readonly lastUsed: number
}

/** Everything in a store at one moment. */
export interface Inventory {
  readonly blobs: ReadonlyMap<string, StoredThing>
  readonly snapshots: ReadonlyMap<string, StoredThing>
  readonly records: readonly RecordInfo[]
  /** What images with a name consist of. */
  readonly images: ImageContent
  /** Blobs and snapshots that builds under way have asked to keep. */
  readonly leased: ReadonlySet<string>
  /** When the oldest build under way began; what was written or used since stays. Infinity: none is under way. */
  readonly since: number
}

/** Nested indexes deeper than this hold no images. */
const MOST_DEPTH = 4

/** Looks at all of a store. @param snapshots undefined where no worker can be asked: snapshots are then left out */
export async function takeInventory(
  store: Store,
  snapshots: SnapshotTable | undefined,
  now: number,
): Promise<Inventory> {
  const leases = await store.leases(now)
  const records = await Array.fromAsync(store.records.list())
  const found = snapshots ? await Array.fromAsync(snapshots.list()) : []
  return {
    blobs: await listBlobs(store.root),
    snapshots: new Map(found.map((snapshot) => [snapshot.id, snapshot])),
    records,
    images: await imageContent(store),
    leased: new Set(leases.flatMap(({ refs }) => [...refs.blobs, ...refs.snapshots])),
    since: Math.min(...leases.map(({ started }) => started)),
  }
}

async function listBlobs(root: string): Promise<Map<string, StoredThing>> {
  const blobs = new Map<string, StoredThing>()
  const directory = join(root, 'blobs')
  for (const algorithm of await readdir(directory).catch(() => [])) {
    for (const hex of await readdir(join(directory, algorithm)).catch(() => [])) {
      const file = await stat(join(directory, algorithm, hex)).catch(() => undefined)
      const id = `${algorithm}:${hex}`
      if (!file?.isFile() || !isDigest(id)) continue
      blobs.set(id, { id, size: file.size, created: file.mtimeMs, lastUsed: file.mtimeMs })
    }
  }
  return blobs
}

/** Blobs that images with a name consist of and what is attached to them, and the index that this was found from. */
export interface ImageContent {
  readonly blobs: ReadonlySet<string>
  readonly roots: string
}

/** @param known what was found before: still right when names and attachments are the same */
export async function imageContent(store: Store, known?: ImageContent): Promise<ImageContent> {
  const named = await store.images.roots()
  let attached = await store.images.attachments()
  const roots = JSON.stringify([named, attached])
  if (known?.roots === roots) return known
  const seen = new Set<string>()
  async function visit(descriptor: Descriptor, depth: number): Promise<void> {
    if (seen.has(descriptor.digest)) return
    seen.add(descriptor.digest)
    const isDocument = isIndexType(descriptor.mediaType) || isManifestType(descriptor.mediaType)
    if (!isDocument || depth > MOST_DEPTH) return
    for (const child of await childrenOf(descriptor, store)) await visit(child, depth + 1)
  }
  for (const root of named) await visit(root, 0)
  // What refers to an image is kept with it, and what refers to that.
  for (let before = -1; seen.size > before; ) {
    before = seen.size
    for (const { descriptor, subject } of attached) if (seen.has(subject)) await visit(descriptor, 0)
    attached = attached.filter(({ descriptor }) => !seen.has(descriptor.digest))
  }
  return { blobs: seen, roots }
}

/** Nothing for a document that is missing or damaged: such an image is lost, not what else is in the store. */
async function childrenOf({ digest, mediaType }: Descriptor, store: Store): Promise<readonly Descriptor[]> {
  try {
    // Looking is no use: the store would claim what it is asked for.
    const bytes = await readFile(store.blobs.path(digest))
    if (digestOf(bytes, digestAlgorithm(digest)) !== digest) return []
    const document = parseManifest(bytes, mediaType)
    if (document.kind === 'index') return document.index.manifests
    return [document.manifest.config, ...document.manifest.layers]
  } catch {
    return []
  }
}

/** A line of `du`. */
export interface UsageItem extends StoredThing {
  readonly kind: 'blob' | 'snapshot' | 'record'
  /** For records: what they are of. */
  readonly description?: string
  /** Whether prune with `all` would delete it now. */
  readonly reclaimable: boolean
  /** Records that need it. */
  readonly users: number
}

export interface Usage {
  /** Least recently used first. */
  readonly items: readonly UsageItem[]
  readonly total: number
  readonly reclaimable: number
}

/** What uses how much. */
export async function diskUsage(store: Store, snapshots: SnapshotTable | undefined, now: number): Promise<Usage> {
  const inventory = await takeInventory(store, snapshots, now)
  const users = new Map<string, number>()
  for (const { refs } of inventory.records) {
    for (const id of [...refs.blobs, ...refs.snapshots]) users.set(id, (users.get(id) ?? 0) + 1)
  }
  const things = (kind: 'blob' | 'snapshot', all: Iterable<StoredThing>): UsageItem[] =>
    Array.from(all, (thing) => ({
      ...thing,
      kind,
      reclaimable: isFree(inventory, thing),
      users: users.get(thing.id) ?? 0,
    }))
  const items: UsageItem[] = [
    ...things('blob', inventory.blobs.values()),
    ...things('snapshot', inventory.snapshots.values()),
    ...inventory.records.map(({ kind, key, size, created, lastUsed }): UsageItem => {
      return {
        kind: 'record',
        id: key,
        description: kind,
        size,
        created,
        lastUsed,
        reclaimable: lastUsed < inventory.since,
        users: 0,
      }
    }),
  ].sort((a, b) => a.lastUsed - b.lastUsed)
  const sum = (list: readonly UsageItem[]) => list.reduce((bytes, item) => bytes + item.size, 0)
  return { items, total: sum(items), reclaimable: sum(items.filter((item) => item.reclaimable)) }
}

/** Whether nothing but records holds a blob or snapshot. */
export function isFree(inventory: Inventory, { id, lastUsed }: StoredThing): boolean {
  return !inventory.images.blobs.has(id) && !inventory.leased.has(id) && lastUsed < inventory.since
}
