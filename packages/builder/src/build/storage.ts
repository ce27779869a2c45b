/** The calls that look at the local store as a whole: what it takes on disk, and making that less. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BuildError } from '../errors.ts'
import type { Place, StoreOptions } from '../options.ts'
import { LazyWorker } from '../steps/worker-client.ts'
import {
  type CollectionSettings,
  collect,
  isCollectionDue,
  type PruneOptions,
  type PruneResult,
  prune as pruneStore,
  type SnapshotTable,
  type Store,
  diskUsage as storeUsage,
  type Usage,
} from '../store/index.ts'
import { hasCode } from '../util/has-code.ts'
import { callInStore } from './call-in-store.ts'
import { parseCollection } from './collection-settings.ts'
import { asBuildError } from './settings.ts'
import { openState } from './state.ts'

/**
 * Lists what is in the local store, with sizes: blobs, snapshots, cache records, cache mounts.
 *
 * @throws BuildError
 */
export async function diskUsage(
  call: StoreOptions<Place> & Pick<PruneOptions, 'signal' | 'filters' | 'until'> = {},
): Promise<Usage> {
  return await callInStore('usage', call, (options, root) =>
    inStore(root, 'read', options.signal, (store, snapshots) => storeUsage(store, snapshots, Date.now(), options)),
  )
}

/**
 * Deletes what no named image needs from the local store. Builds that run meanwhile keep what they use.
 *
 * @throws BuildError
 */
export async function prune(call: StoreOptions<Place> & PruneOptions = {}): Promise<PruneResult> {
  return await callInStore('prune', call, (options, root) =>
    inStore(root, options.dryRun === true ? 'read' : 'write', options.signal, (store, snapshots) =>
      pruneStore(store, snapshots, options, Date.now()),
    ),
  )
}

/** When, and how far, the local store is made smaller: what is absent is as `$TSBUILD_GC` says, or the default. */
export type CollectOptions<P extends Place = Place> = StoreOptions<P> &
  CollectionSettings &
  Pick<PruneOptions, 'signal' | 'dryRun'>

/**
 * Makes the local store smaller if it is larger than its limits, by the rules of automatic collection. Builds that run
 * meanwhile keep what they use. `$TSBUILD_GC` has no say in whether that is done.
 *
 * @throws BuildError
 */
export async function collectGarbage(call: CollectOptions = {}): Promise<PruneResult> {
  return await callInStore('collect', call, (options, root) => {
    const { maxUsedSpace, minFreeSpace, reservedSpace, signal, dryRun } = options
    const given = maxUsedSpace ?? minFreeSpace ?? reservedSpace
    const configured = parseCollection(options.env ?? process.env)
    const settings = given === undefined ? configured : { maxUsedSpace, minFreeSpace, reservedSpace }
    return inStore(root, dryRun ? 'read' : 'write', signal, (store, snapshots) =>
      collect(store, snapshots, { ...settings, signal, dryRun }, Date.now()),
    )
  })
}

/**
 * Says that the local store is due for {@link collectGarbage} and takes note that it will be done now, so that of several
 * callers only one is told.
 *
 * @returns the directory of the store; undefined when it is too early, or `$TSBUILD_GC` is `off`
 */
export async function garbageCollectionDue(call: StoreOptions<Place> = {}): Promise<string | undefined> {
  return await callInStore('store', call, async ({ env = process.env }, root) => {
    const { interval } = parseCollection(env)
    if (interval === undefined) return undefined
    // A store that cannot be written cannot be collected either.
    return (await isCollectionDue(root, interval, Date.now()).catch(() => false)) ? root : undefined
  })
}

/** Snapshots belong to the worker's ids, so only a worker can list and remove them. */
async function inStore<T>(
  root: string,
  access: 'read' | 'write',
  given: AbortSignal | undefined,
  work: (store: Store, snapshots: SnapshotTable | undefined) => Promise<T>,
): Promise<T> {
  const signal = given ?? new AbortController().signal
  try {
    const store = await openState(root, access)
    const names = ['snapshots', 'cache-mounts'].map((name) => readdir(join(root, name)).catch(() => []))
    if ((await Promise.all(names)).flat().length === 0) return await work(store, undefined)
    const skipped: string[] = []
    const onSkipped = (problem: string) => void skipped.push(problem)
    await using worker = new LazyWorker({ root, isolation: 'auto', ociRuntime: undefined, access, onSkipped })
    return await work(store, {
      async *list() {
        yield* await worker.call('snapshot.list', {}, { signal })
      },
      remove: (id) => worker.call('snapshot.discard', { ids: [id] }, { signal }),
      mounts: {
        list: () => worker.call('mount.list', {}, { signal }),
        remove: (id) => worker.call('mount.remove', { id }, { signal }),
      },
      purge: async () => [...skipped, ...(await worker.call('snapshot.purge', {}, { signal }))],
    })
  } catch (error) {
    const failure = asBuildError(error, { signal, root })
    if (access === 'read' || !hasCode(failure.cause, 'ENOSPC', 'EDQUOT')) throw failure
    const { cause, code, message } = failure
    throw new BuildError(code, message, { cause, hint: 'Make a little room on that file system by other means first.' })
  }
}
