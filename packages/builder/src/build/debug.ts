/** The calls that look at what failed RUNs left. */
import type { RunImageResult } from '../options.ts'
import { runInteractive } from '../steps/interactive.ts'
import { LazyWorker } from '../steps/worker-client.ts'
import type { Console } from '../util/console.ts'
import { shellOf } from './failure.ts'
import type { StoreOptions } from './images.ts'
import { findKeptRun, listKeptRuns } from './kept.ts'
import { processResult } from './process-result.ts'
import { asBuildError, stateRoot } from './settings.ts'
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
export async function keptRootfs(options: StoreOptions = {}): Promise<KeptRootfs[]> {
  const store = await openState(stateRoot(options.root, options.env ?? process.env))
  const runs = await listKeptRuns(store.records)
  return runs.map(({ name, step, message, failed }) => ({ name, step, message, failed }))
}

export interface DebugOptions extends StoreOptions {
  /** The name of what is kept, or the beginning of one. */
  readonly name: string
  /** What to run; default the shell of the failed RUN. */
  readonly command?: readonly string[] | undefined
  readonly console: Console
  readonly isolation?: 'auto' | 'namespaces' | 'oci' | 'chroot' | undefined
  readonly ociRuntime?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs a shell or another program where a RUN failed: with its variables, directory, user, caches and binds, without its
 * secrets. What the program changes is thrown away when it ends.
 *
 * @throws BuildError
 */
export async function debug(options: DebugOptions): Promise<RunImageResult> {
  const { name, command = [], console, isolation = 'auto', ociRuntime } = options
  const { signal = new AbortController().signal } = options
  const root = stateRoot(options.root, options.env ?? process.env)
  try {
    const store = await openState(root)
    await using _lease = await store.lease(Date.now())
    const { params } = await findKeptRun(store.records, name)
    await using worker = new LazyWorker({ root, isolation, ociRuntime, willRun: true })
    const args = command.length > 0 ? command : [shellOf(params.args)]
    return processResult(await runInteractive(worker, { ...params, args, script: undefined }, console, signal))
  } catch (error) {
    throw asBuildError(error, signal)
  }
}
