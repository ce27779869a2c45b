/** Starts the contract suite's worker as whoever runs this, and passes calls through: root cannot start a rootless one. */

import { startWorker, type WorkerMode } from '../worker.ts'
import { serveWorker } from '../worker-host.ts'

const [root, mode] = process.argv.slice(2) as [string, WorkerMode]
const inner = startWorker({ entry: new URL('./executor-worker.ts', import.meta.url), root, mode })
inner.catch(() => {})

const pass =
  (operation: string) =>
  async (
    params: unknown,
    { signal, emit }: { signal: AbortSignal; emit(event: unknown): Promise<void> },
  ): Promise<unknown> =>
    await (await inner).call(operation, params, { signal, onEvent: (event) => void emit(event) })

serveWorker(
  { describe: pass('describe'), run: pass('run'), kill: pass('kill'), command: pass('command') },
  { onClose: async () => (await inner)[Symbol.asyncDispose]() },
)
