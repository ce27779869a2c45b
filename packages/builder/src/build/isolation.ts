/** The call that tells how RUN would be isolated on this machine. */
import { openWorker } from '../steps/worker-client.ts'
import { openStore } from '../store/index.ts'
import type { StoreOptions } from './images.ts'
import { stateRoot } from './settings.ts'

/** What was found out by really starting the worker and its executor. */
export interface IsolationReport {
  /** Absolute path of the store. */
  readonly root: string
  /** How the worker could be started: see its modes. Undefined: not at all. */
  readonly worker: 'root' | 'subids' | 'single' | 'plain' | undefined
  /** Why better ways to start it were not possible. */
  readonly reasons: readonly string[]
  /** What is not isolated, one line; undefined when everything is. */
  readonly limits: string | undefined
  /** Why no RUN is possible. */
  readonly error: string | undefined
}

/** Starts the worker as a build would and makes its executor ready. Never rejects but for an aborted signal. */
export async function probeIsolation(
  options: StoreOptions & {
    readonly isolation?: 'auto' | 'namespaces' | 'oci' | 'chroot' | undefined
    readonly ociRuntime?: string | undefined
    readonly signal?: AbortSignal | undefined
  } = {},
): Promise<IsolationReport> {
  const { isolation = 'auto', ociRuntime, signal } = options
  const root = stateRoot(options.root, options.env ?? process.env)
  let report: IsolationReport = { root, worker: undefined, reasons: [], limits: undefined, error: undefined }
  try {
    await openStore(root)
    await using worker = await openWorker({ root, isolation, ociRuntime })
    report = { ...report, worker: worker.mode, reasons: worker.reasons }
    const limits = await worker.call('run.prepare', {}, { signal })
    return { ...report, limits }
  } catch (error) {
    signal?.throwIfAborted()
    return { ...report, error: error instanceof Error ? error.message : String(error) }
  }
}
