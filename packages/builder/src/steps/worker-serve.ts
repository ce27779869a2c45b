/** The table of the worker's operations. It runs inside the namespaces; the main process never imports it. */
import { join } from 'node:path'
import type { LastingCloner } from '../sandbox/cloner/lasting-cloner.ts'
import { refuseLinks } from '../sandbox/mounts/own-trees.ts'
import { type CallContext, type OperationTable, serveWorker } from '../sandbox/worker-host.ts'
import { EveryKind, openSnapshotter, type Snapshotter } from '../snapshot/index.ts'
import type { Pieces } from '../store/pieces.ts'
import { openStore, openStoreToRead } from '../store/store.ts'
import { makeDirectorySync } from '../util/make-directory.ts'
import { CacheMounts } from './cache-mounts.ts'
import type { OpenParams, WorkerEvent, WorkerOperations } from './worker-api.ts'
import { fillMount, packMount } from './worker-cache-mounts.ts'
import type { OperationContext } from './worker-files.ts'
import { applyFiles, fingerprintFiles } from './worker-files.ts'
import { packSnapshot, unpackBlob } from './worker-layers.ts'
import { copyRootfs, tarRootfs } from './worker-rootfs.ts'
import { Runner } from './worker-run.ts'

/** What is open in this process. */
class WorkerState {
  readonly params: OpenParams
  readonly #snapshotter: Snapshotter | undefined
  /** What can be listed and deleted, of whichever kind. */
  readonly snapshots: EveryKind
  /** Why snapshots are copies. */
  readonly copies: string | undefined
  readonly runner: Runner

  constructor(params: OpenParams, cloner: LastingCloner | undefined) {
    this.params = params
    const directory = join(params.root, 'snapshots')
    if (params.access === 'write') {
      const walked = [directory, join(params.root, 'cache-mounts')]
      for (const path of walked) makeDirectorySync(path, 0o700)
      if (params.mode !== 'plain') refuseLinks(walked)
      const { snapshotter, fallback } = openSnapshotter(directory, 'auto')
      this.#snapshotter = snapshotter
      this.copies = fallback
    }
    this.snapshots = new EveryKind(directory, params.access, this.#snapshotter)
    this.runner = new Runner(params, cloner)
  }

  /** Looked for in the store, which is the main process's: nothing is written to it here. */
  async pieces(): Promise<Pieces> {
    return (await openStoreToRead(this.params.root)).pieces
  }

  get snapshotter(): Snapshotter {
    if (this.#snapshotter === undefined) throw new Error('the worker was opened to read')
    return this.#snapshotter
  }

  get mounts(): CacheMounts {
    return new CacheMounts(join(this.params.root, 'cache-mounts'), join(this.params.root, 'alive'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.snapshots.close()
    // This process ends afterwards: what one cannot tidy up is no reason to leave what the other can.
    await Promise.allSettled([this.runner[Symbol.asyncDispose](), this.#snapshotter?.[Symbol.asyncDispose]()])
  }
}

type Call = CallContext<WorkerEvent>

/**
 * Serves the operations until the main process is gone.
 *
 * @param cloner started already for the processes of RUN; ended with the worker
 */
export function serve(cloner: LastingCloner | undefined): void {
  let state: WorkerState | undefined

  function opened(): WorkerState {
    if (state === undefined) throw new Error('the worker was not opened')
    return state
  }

  function context({ signal, emit }: Call): OperationContext {
    return { snapshotter: opened().snapshotter, signal, emit }
  }

  const operations: OperationTable<WorkerOperations, WorkerEvent> = {
    open: async (params) => {
      state = new WorkerState(params, cloner)
      return { copies: state.copies, skipped: params.access === 'write' ? await state.snapshots.purge() : [] }
    },
    'snapshot.has': async ({ ids }) => await Promise.all(ids.map((id) => opened().snapshotter.has(id))),
    'snapshot.list': () => opened().snapshots.list(),
    'snapshot.remove': async ({ ids }) => {
      for (const id of ids) await opened().snapshotter.remove(id)
    },
    'snapshot.discard': async ({ ids }) => {
      for (const id of ids) await opened().snapshots.discard(id)
    },
    'snapshot.verify': () => opened().snapshotter.verify(),
    'snapshot.purge': () => opened().snapshots.purge(),
    'mount.list': async () => opened().mounts.list(),
    'mount.remove': ({ id }) => opened().mounts.remove(id),
    'mount.isEmpty': async ({ name }) => opened().mounts.isEmpty(name),
    'mount.pack': (params, call) => packMount(params, opened().mounts, call.signal),
    'mount.fill': (params, call) => fillMount(params, opened().mounts, call.signal),
    'layer.unpack': (params, call) => unpackBlob(params, context(call)),
    'layer.pack': async (params, call) => packSnapshot(params, context(call), await opened().pieces()),
    'files.apply': (params, call) => applyFiles(params, context(call)),
    'files.fingerprint': (params, call) => fingerprintFiles(params, context(call)),
    'run.prepare': () => opened().runner.prepare(),
    run: (params, call) => opened().runner.run(params, context(call)),
    'run.input': ({ id, data }) => opened().runner.inputs.write(id, data),
    'run.resize': async ({ id, size }) => opened().runner.inputs.resize(id, size),
    'rootfs.tar': (params, call) => tarRootfs(params, context(call)),
    'rootfs.copy': (params, call) => copyRootfs(params, context(call)),
  }

  serveWorker(operations, {
    onClose: async (orphaned) => {
      await (state ?? cloner)?.[Symbol.asyncDispose]()
      // Nobody else is left to remove the main process's temporary files and its lease: opening and listing does.
      if (orphaned && state) await (await openStore(state.params.root)).leases(Date.now())
    },
  })
}
