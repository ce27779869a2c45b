/** The calls that look at what failed RUNs left. */
import type { DebugOptions, Place, StoreOptions } from '../options.ts'
import type { RunImageResult } from '../results.ts'
import { runInteractive } from '../steps/interactive.ts'
import { LazyWorker } from '../steps/worker-client.ts'
import { callInStore } from './call-in-store.ts'
import { shellOf } from './failure.ts'
import { findKeptRun, listKeptRuns } from './kept.ts'
import { processResult } from './process-result.ts'
import { openState } from './state.ts'

/** A root filesystem that `--on-error keep` has kept. */
export interface KeptRootfs {
  readonly name: string
  /** The RUN that failed, as progress shows it. */
  readonly step: string
  /** What went wrong. */
  readonly message: string
  /** Milliseconds since the epoch. */
  readonly failed: number
}

/** Lists what is kept, the latest first. */
export async function keptRootfs(call: StoreOptions<Place> = {}): Promise<KeptRootfs[]> {
  return await callInStore('store', call, async (_options, root) => {
    const store = await openState(root, 'read')
    const runs = await listKeptRuns(store.records)
    return runs.map(({ name, step, message, failed }) => ({ name, step, message, failed }))
  })
}

/**
 * Runs a shell or another program where a RUN failed: with its variables, directory, user, caches and binds, without its
 * secrets. What the program changes is thrown away when it ends.
 *
 * @throws BuildError
 */
export async function debug(call: DebugOptions<Place>): Promise<RunImageResult> {
  return await callInStore('debug', call, async (options, root) => {
    const { name, command = [], console, isolation = 'auto', ociRuntime } = options
    const { signal = new AbortController().signal } = options
    const store = await openState(root, 'write')
    await using _lease = await store.lease(Date.now())
    const { params } = await findKeptRun(store.records, name)
    await using worker = new LazyWorker({
      root,
      isolation,
      ociRuntime,
      willRun: true,
      keep: (snapshots) => store.keep({ snapshots }),
    })
    const args = command.length > 0 ? command : [shellOf(params.args)]
    return processResult(await runInteractive(worker, { ...params, args, script: undefined }, console, signal))
  })
}
