/** The child's side of the worker: serves a table of operations until the main process is gone. */
import { constants } from 'node:os'
import { cancelled } from '../errors.ts'
import { type FromWorker, packError, type ToWorker } from './worker/messages.ts'
import type { OperationMap, UntypedOperations } from './worker/types.ts'

/** What an operation gets beside its parameters. */
export interface CallContext<E = unknown> {
  /** Aborted when the caller gives up or the worker is closed. */
  readonly signal: AbortSignal
  /**
   * Sends an event to the caller. The promise settles when it is on its way: waiting for it keeps a fast producer from
   * filling the memory.
   */
  emit(event: E): Promise<void>
}

/** The operations of a worker; what they throw reaches the caller as a BuildError. */
export type OperationTable<T extends OperationMap<T> = UntypedOperations, E = unknown> = {
  readonly [O in keyof T]: (params: T[O]['params'], context: CallContext<E>) => Promise<T[O]['result']>
}

export interface ServeOptions {
  /**
   * Called once before the worker ends, not when it is killed itself.
   *
   * @param orphaned the main process is gone and has left behind whatever it had
   */
  readonly onClose?: (orphaned: boolean) => Promise<void>
}

/**
 * Serves `operations` to the process that started this one with `startWorker`. Ends this process when the main process
 * closes the worker, exits, or is killed.
 */
export function serveWorker<T extends OperationMap<T>, E>(
  operations: OperationTable<T, E>,
  options: ServeOptions = {},
): void {
  const parent = process.ppid
  const running = new Map<number, AbortController>()
  let closing = false
  let closed: Promise<void> | undefined
  let orphaned = false
  const table = new Map<string, (params: never, context: CallContext<E>) => Promise<unknown>>(
    Object.entries(operations),
  )

  const send = (message: FromWorker): Promise<void> =>
    new Promise((resolve) => {
      // A closed channel means that nobody listens: the disconnect handler ends this process.
      if (!process.connected) return resolve()
      process.send!(message, () => resolve())
    })

  const call = async (id: number, operation: string, params: unknown): Promise<void> => {
    const controller = new AbortController()
    running.set(id, controller)
    try {
      if (closing) throw cancelled([])
      const handler = table.get(operation)
      if (handler === undefined) throw new Error(`the worker has no operation ${operation}`)
      const context: CallContext<E> = {
        signal: controller.signal,
        emit: (event) => send({ type: 'event', id, event }),
      }
      await send({ type: 'result', id, value: await handler(params as never, context) })
    } catch (error) {
      await send({ type: 'error', id, error: packError(error) })
    } finally {
      running.delete(id)
      if (closing && running.size === 0) await close()
    }
  }

  /** A call that came late, or the main process's end, must not end this process while it is still tidying up. */
  const close = (): Promise<void> => {
    closed ??= end()
    return closed
  }

  const end = async (): Promise<void> => {
    await options.onClose?.(orphaned).catch(() => {})
    if (orphaned) endNow()
    process.exit(0)
  }

  /** Stops all operations; the last one to end closes the worker. */
  const stop = (): void => {
    closing = true
    for (const controller of running.values()) controller.abort(cancelled([]))
    if (running.size === 0) void close()
  }

  const abandon = (): void => {
    if (orphaned) return
    orphaned = true
    setTimeout(endNow, ORPHAN_MS).unref()
    stop()
  }

  process.on('message', (message: ToWorker) => {
    if (message.type === 'call') void call(message.id, message.operation, message.params)
    else if (message.type === 'abort') running.get(message.id)?.abort(cancelled([]))
    else stop()
  })
  process.on('disconnect', abandon)
  process.on(ORPHAN_SIGNAL, abandon)
  void send({ type: 'ready' })
  void tieToParent(parent)
}

/** How long a worker whose main process is gone may clean up. */
const ORPHAN_MS = 3000
const ORPHAN_SIGNAL = 'SIGTERM'

/** Unlike an exit, this does not wait for threads: one that reads a terminal may never return. */
function endNow(): void {
  process.kill(process.pid, 'SIGKILL')
}

/** Learns of the main process's end from the kernel. Where system calls cannot be made, `disconnect` is all. */
async function tieToParent(parent: number): Promise<void> {
  try {
    const { dieWithParent } = await import('./native/process.ts')
    dieWithParent(constants.signals[ORPHAN_SIGNAL])
  } catch {
    return
  }
  if (process.ppid !== parent) process.exit(1)
}
