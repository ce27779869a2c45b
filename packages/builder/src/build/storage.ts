/** The calls that look at the local store as a whole: what it takes on disk, and making that less. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BuildError } from '../errors.ts'
import type { Place, StoreOptions } from '../options.ts'
import { LazyWorker } from '../steps/worker-client.ts'
import {
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
import { asBuildError } from './settings.ts'
import { openState } from './state.ts'

/**
 * Lists what is in the local store: blobs, snapshots and cache records, with their sizes.
 *
 * @throws BuildError
 */
export async function diskUsage(call: StoreOptions<Place> & Pick<PruneOptions, 'signal'> = {}): Promise<Usage> {
  return await callInStore('store', call, ({ signal }, root) =>
    inStore(root, 'read', signal, (store, snapshots) => storeUsage(store, snapshots, Date.now())),
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
    const any = (await readdir(join(root, 'snapshots')).catch(() => [])).length > 0
    if (!any) return await work(store, undefined)
    const skipped: string[] = []
    const onSkipped = (problem: string) => void skipped.push(problem)
    await using worker = new LazyWorker({ root, isolation: 'auto', ociRuntime: undefined, access, onSkipped })
    return await work(store, {
      async *list() {
        yield* await worker.call('snapshot.list', {}, { signal })
      },
      remove: (id) => worker.call('snapshot.discard', { ids: [id] }, { signal }),
      purge: async () => [...skipped, ...(await worker.call('snapshot.purge', {}, { signal }))],
    })
  } catch (error) {
    const failure = asBuildError(error, { signal, root })
    if (access === 'read' || !hasCode(failure.cause, 'ENOSPC', 'EDQUOT')) throw failure
    const { cause, code, message } = failure
    throw new BuildError(code, message, { cause, hint: 'Make a little room on that file system by other means first.' })
  }
}
