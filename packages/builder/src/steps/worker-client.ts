/** The worker as the main process sees it: started on the first call, ended with the build. */
import { extname } from 'node:path'
import { startWorker, type Worker } from '../sandbox/worker.ts'
import type { SnapshotId } from '../snapshot/snapshotter.ts'
import {
  WILL_RUN,
  type WorkerClient,
  type WorkerEvent,
  type WorkerOperation,
  type WorkerOperations,
} from './worker-api.ts'
import { snapshotsOf } from './worker-claims.ts'

export interface LazyWorkerOptions {
  /** The state directory. */
  readonly root: string
  readonly isolation: 'auto' | 'namespaces' | 'oci' | 'chroot'
  readonly ociRuntime: string | undefined
  /** Whether processes will probably have to be run. */
  readonly willRun?: boolean
  /** Told why snapshots are copies, where they are. */
  readonly onCopies?: (why: string) => void
  /** `read`: only for listing snapshots; default `write`. */
  readonly access?: 'read' | 'write'
  /** Told what was in the way and could not be removed, and why. */
  readonly onSkipped?: (problem: string) => void
  /** Keeps snapshots from being pruned; called with what an operation uses and makes, before it is called. */
  readonly keep?: (ids: readonly SnapshotId[]) => Promise<void>
}

export class LazyWorker implements WorkerClient, AsyncDisposable {
  readonly #options: LazyWorkerOptions
  #worker: Promise<Worker<WorkerOperations, WorkerEvent>> | undefined
  #claims: Promise<void> = Promise.resolve()

  constructor(options: LazyWorkerOptions) {
    this.#options = options
  }

  /** Whether a call has started it: a fully cached build has not. */
  get started(): boolean {
    return this.#worker !== undefined
  }

  /** Starts it before it is needed; who needs it meets the error of a start that failed. */
  start(): Promise<Worker<WorkerOperations, WorkerEvent>> {
    if (this.#worker === undefined) {
      this.#worker = openWorker(this.#options)
      this.#worker.catch(() => undefined)
    }
    return this.#worker
  }

  async call<O extends WorkerOperation>(
    operation: O,
    params: WorkerOperations[O]['params'],
    options: { signal: AbortSignal; onEvent?: (event: WorkerEvent) => void },
  ): Promise<WorkerOperations[O]['result']> {
    const worker = await this.start()
    // One after the other, so that calls are sent in their order: input follows the process that it is for.
    const claimed = this.#claims.then(() => this.#options.keep?.(snapshotsOf(operation, params)))
    this.#claims = claimed.catch(() => undefined)
    await claimed
    return await worker.call(operation, params, options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const worker = await this.#worker?.catch(() => undefined)
    await worker?.[Symbol.asyncDispose]()
  }
}

/** Starts a worker and opens the store in it. The caller disposes it. */
export async function openWorker(options: LazyWorkerOptions): Promise<Worker<WorkerOperations, WorkerEvent>> {
  const { root, isolation, ociRuntime, willRun = false, access = 'write', onCopies, onSkipped } = options
  const inNamespaces = (isolation === 'auto' || isolation === 'namespaces') && ociRuntime === undefined
  const worker = await startWorker<WorkerOperations, WorkerEvent>({
    entry: new URL(`./worker-main${extname(import.meta.url)}`, import.meta.url),
    args: willRun && inNamespaces && process.platform === 'linux' ? [WILL_RUN] : [],
    root,
  })
  const opened = await worker.call('open', { root, mode: worker.mode, isolation, ociRuntime, access })
  if (opened.copies !== undefined) onCopies?.(opened.copies)
  for (const problem of opened.skipped) onSkipped?.(problem)
  return worker
}
