/** Automatic collection: what buildkitd does by default when its cache grows, by the same rules. */
import { stat, statfs, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type PruneOptions, type PruneResult, prune, type SpaceLimits } from './gc.ts'
import type { Store } from './store.ts'
import type { SnapshotTable } from './usage.ts'

const [GB, HOUR] = [1e9, 3_600_000]

/** Bytes, or a share of the file system that the store is on. */
export type Space = number | { readonly percent: number }

/** When and how far the store is made smaller without being asked to. */
export interface CollectionSettings {
  /** Default: 80 % of the file system, but no more than 100 GB. */
  readonly maxUsedSpace?: Space | undefined
  /** Default: 20 % of the file system. */
  readonly minFreeSpace?: Space | undefined
  /** Default: 10 % of the file system, but no more than 10 GB. */
  readonly reservedSpace?: Space | undefined
}

/** The limits in bytes. @param size of the file system, bytes */
export function spaceLimits(settings: CollectionSettings, size: number): Required<SpaceLimits> {
  const { maxUsedSpace, minFreeSpace, reservedSpace } = settings
  // Without any of them, all of them are as usual; with one, only that one counts.
  if (maxUsedSpace === undefined && minFreeSpace === undefined && reservedSpace === undefined)
    return {
      maxUsedSpace: Math.min(bytesOf({ percent: 80 }, size), 100 * GB),
      minFreeSpace: bytesOf({ percent: 20 }, size),
      reservedSpace: Math.min(bytesOf({ percent: 10 }, size), 10 * GB),
    }
  return {
    maxUsedSpace: bytesOf(maxUsedSpace ?? 0, size),
    minFreeSpace: bytesOf(minFreeSpace ?? 0, size),
    reservedSpace: bytesOf(reservedSpace ?? 0, size),
  }
}

function bytesOf(space: Space, size: number): number {
  return typeof space === 'number' ? space : Math.floor((size * space.percent) / 100)
}

/** What is made again most easily goes first, when the store takes more than this and nobody has used it for two days. */
const EASY = { type: '^(?:source\\.local|exec\\.cachemount|source\\.git\\.checkout)$', most: 512e6, age: 48 * HOUR }
/** What nobody has used for this long goes before the rest. */
const OLD = 60 * 24 * HOUR

/** The rules, one after the other. */
export function collectionRules(limits: Required<SpaceLimits>, now: number): PruneOptions[] {
  return [
    {
      filters: [{ key: 'type', operator: '~=', value: EASY.type }],
      until: now - EASY.age,
      maxUsedSpace: EASY.most,
    },
    { until: now - OLD, ...limits },
    limits,
    { all: true, ...limits },
  ]
}

/** Makes a store smaller if it is larger than its limits. */
export async function collect(
  store: Store,
  snapshots: SnapshotTable | undefined,
  { signal, dryRun, ...settings }: CollectionSettings & Pick<PruneOptions, 'signal' | 'dryRun'>,
  now: number,
): Promise<PruneResult> {
  const { blocks, bsize } = await statfs(store.root)
  const results: PruneResult[] = []
  for (const rule of collectionRules(spaceLimits(settings, blocks * bsize), now))
    results.push(await prune(store, snapshots, { ...rule, signal, dryRun }, now))
  return {
    removed: results.flatMap(({ removed }) => removed),
    freed: results.reduce((bytes, { freed }) => bytes + freed, 0),
    left: results.at(-1)!.left,
    skipped: [...new Set(results.flatMap(({ skipped }) => skipped))],
  }
}

/** Its time says when the store was last looked at, or made. */
const MARK = 'collected'

/**
 * Whether the last automatic collection of a store is so long ago; then it counts as begun now. A store that was never
 * looked at is too young.
 */
export async function isCollectionDue(root: string, interval: number, now: number): Promise<boolean> {
  const path = join(root, MARK)
  const last = (await stat(path).catch(() => undefined))?.mtimeMs
  if (last !== undefined && now - last < interval) return false
  if (last === undefined) await writeFile(path, '', { mode: 0o600 })
  else await utimes(path, now / 1000, now / 1000)
  return last !== undefined || interval === 0
}
