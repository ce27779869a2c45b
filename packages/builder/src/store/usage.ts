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
import { type UsageFilter, usageMatcher } from './filter.ts'
import type { RecordInfo } from './records.ts'
import type { Store } from './store.ts'
import type { StoredThing, UsageItem } from './usage-item.ts'

/** Directories of `RUN --mount=type=cache`, as the worker lists and removes them. */
export interface MountTable {
  list(): Promise<readonly MountInfo[]>
  /** Takes one away unless it is mounted. @returns whether it is gone */
  remove(id: string): Promise<boolean>
}

/** Committed snapshots, as the worker's snapshotter lists and removes them. */
export interface SnapshotTable {
  readonly mounts?: MountTable
  list(): AsyncIterable<StoredThing>
  /** Takes a snapshot out of reach, at once. Its content may be deleted later. */
  remove(id: string): Promise<void>
  /** Deletes what was removed. Returns what could not be deleted, and why. */
  purge(): Promise<readonly string[]>
}

/** A {@link StoredThing} of `RUN --mount=type=cache`. */
export interface MountInfo extends StoredThing {
  /** The mount's id. */
  readonly description: string
}

/** Everything in a store at one moment. */
export interface Inventory {
  readonly mounts: readonly MountInfo[]
  /** What is remembered of the files of contexts. */
  readonly contexts: readonly StoredThing[]
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
    mounts: (await snapshots?.mounts?.list()) ?? [],
    contexts: await listContexts(store.root),
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

/** Where what is remembered of the files of contexts is kept. */
export const CONTEXTS = 'stat-cache'

async function listContexts(root: string): Promise<StoredThing[]> {
  const found: StoredThing[] = []
  for (const id of await readdir(join(root, CONTEXTS)).catch(() => [])) {
    const file = await stat(join(root, CONTEXTS, id)).catch(() => undefined)
    if (file?.isFile()) found.push({ id, size: file.size, created: file.mtimeMs, lastUsed: file.mtimeMs })
  }
  return found
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

export interface Usage {
  /** Least recently used first. */
  readonly items: readonly UsageItem[]
  readonly total: number
  readonly reclaimable: number
}

/** What uses how much. @param chosen only of what fulfils all filters, and was last used before a time */
export async function diskUsage(
  store: Store,
  snapshots: SnapshotTable | undefined,
  now: number,
  chosen: { readonly filters?: readonly UsageFilter[] | undefined; readonly until?: number | undefined } = {},
): Promise<Usage> {
  const { filters = [], until = Number.POSITIVE_INFINITY } = chosen
  const matches = usageMatcher(filters)
  const all = usageItems(await takeInventory(store, snapshots, now))
  const items = all.filter((item) => item.lastUsed < until && matches(item))
  const sum = (list: readonly UsageItem[]) => list.reduce((bytes, item) => bytes + item.size, 0)
  return { items, total: sum(items), reclaimable: sum(items.filter((item) => item.reclaimable)) }
}

/** Kinds of records that say what others hold, so that it is found sooner. */
const INTERNAL: ReadonlySet<string> = new Set(['builds', 'fingerprint', 'index', 'listing', 'pieces', 'resolved'])

/** The lines of `du`, least recently used first. */
export function usageItems(inventory: Inventory): UsageItem[] {
  const { records, images, since } = inventory
  const users = new Map<string, RecordInfo[]>()
  for (const record of records) {
    for (const id of [...record.refs.blobs, ...record.refs.snapshots]) users.set(id, [...(users.get(id) ?? []), record])
  }
  const things = (kind: 'blob' | 'snapshot', all: Iterable<StoredThing>): UsageItem[] =>
    Array.from(all, (thing) => {
      const of = users.get(thing.id) ?? []
      const type = of.length > 0 && of.every((record) => record.kind === 'index') ? 'internal' : 'regular'
      const shared = images.blobs.has(thing.id)
      const reclaimable = isFree(inventory, thing)
      return { ...thing, kind, type, reclaimable, mutable: false, shared, users: of.length }
    })
  const ofRecord = ({ kind, key, refs, size, created, lastUsed }: RecordInfo): UsageItem => ({
    ...{ kind: 'record', type: INTERNAL.has(kind) ? 'internal' : 'regular', description: kind, id: key },
    ...{ size, created, lastUsed, reclaimable: lastUsed < since, mutable: false, users: 0 },
    shared: refs.blobs.length > 0 && refs.blobs.every((digest) => images.blobs.has(digest)),
  })
  const mutable = { mutable: true, shared: false, users: 0 } as const
  const ofMount = (mount: MountInfo): UsageItem => {
    return { ...mount, kind: 'mount', type: 'exec.cachemount', reclaimable: mount.lastUsed < since, ...mutable }
  }
  const ofContext = (thing: StoredThing): UsageItem => {
    return { ...thing, kind: 'context', type: 'source.local', reclaimable: thing.lastUsed < since, ...mutable }
  }
  return [
    ...things('blob', inventory.blobs.values()),
    ...things('snapshot', inventory.snapshots.values()),
    ...records.map(ofRecord),
    ...inventory.mounts.map(ofMount),
    ...inventory.contexts.map(ofContext),
  ].sort((a, b) => a.lastUsed - b.lastUsed)
}

/** Whether nothing but records holds a blob or snapshot. */
export function isFree(inventory: Inventory, { id, lastUsed }: StoredThing): boolean {
  return !inventory.images.blobs.has(id) && !inventory.leased.has(id) && lastUsed < inventory.since
}
