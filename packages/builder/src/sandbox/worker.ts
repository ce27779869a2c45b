/**
 * The main side of the worker: the child process that lives in a mount namespace of its own (and in a user namespace,
 * for an ordinary user) and is the only one to touch root filesystems.
 */
import type { ChildProcess } from 'node:child_process'
import { cancelled, throwIfAborted } from '../errors.ts'
import { sandboxErrors } from './errors.ts'
import { launch } from './worker/launch.ts'
import type { Launched, OperationMap, UntypedOperations, WorkerMode, WorkerOptions } from './worker/types.ts'

export type { OperationMap, UntypedOperations, WorkerMode, WorkerOptions }

import { type FromWorker, type ToWorker, unpackError } from './worker/messages.ts'

export interface CallOptions<E = unknown> {
  readonly signal?: AbortSignal | undefined
  /** Receives what the operation emits, in order, before the call settles. */
  readonly onEvent?: ((event: E) => void) | undefined
}

/** A running worker. Disposing it aborts what still runs and waits until it is gone. */
export interface Worker<T extends OperationMap<T> = UntypedOperations, E = unknown> extends AsyncDisposable {
  /** How it was started. */
  readonly mode: WorkerMode
  /** Why better ways were not possible; empty for the best one. */
  readonly reasons: readonly string[]
  readonly pid: number
  /**
   * Runs an operation in the worker. Rejects with the BuildError it threw there, with CANCELLED after an abort (once the
   * worker has cleaned up), or with WORKER_DIED.
   */
  call<O extends keyof T & string>(
    operation: O,
    params: T[O]['params'],
    options?: CallOptions<E>,
  ): Promise<T[O]['result']>
}

interface Pending<E> {
  resolve(value: unknown): void
  reject(error: Error): void
  readonly onEvent: ((event: E) => void) | undefined
}

/** How long a worker that was asked to end may clean up. */
const CLOSE_MS = 5000

/** Starts a worker; resolves when it can be called. Rejects with WORKER_START_FAILED. */
export async function startWorker<T extends OperationMap<T> = UntypedOperations, E = unknown>(
  options: WorkerOptions,
): Promise<Worker<T, E>> {
  throwIfAborted(options.signal)
  return new ChildWorker<T, E>(await launch(options))
}

class ChildWorker<T extends OperationMap<T>, E> implements Worker<T, E> {
  readonly mode: WorkerMode
  readonly reasons: readonly string[]
  readonly pid: number
  readonly #child: ChildProcess
  readonly #pending = new Map<number, Pending<E>>()
  readonly #ended: Promise<void>
  #nextId = 1
  #gone: string | undefined

  constructor(launched: Launched) {
    this.mode = launched.mode
    this.reasons = launched.reasons
    this.#child = launched.child
    this.pid = this.#child.pid ?? 0
    this.#child.on('message', (message: FromWorker) => this.#receive(message))
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#gone = [signal ?? `status ${code}`, launched.errorOutput()].filter((text) => text !== '').join(': ')
        const error = sandboxErrors.workerDied([this.#gone])
        for (const pending of this.#pending.values()) pending.reject(error)
        this.#pending.clear()
        resolve()
      })
    })
    this.#idle()
  }

  async call<O extends keyof T & string>(
    operation: O,
    params: T[O]['params'],
    { signal, onEvent }: CallOptions<E> = {},
  ): Promise<T[O]['result']> {
    throwIfAborted(signal)
    if (this.#gone !== undefined) throw sandboxErrors.workerDied([this.#gone])
    const id = this.#nextId++
    const abort = (): void => this.#send({ type: 'abort', id })
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(id, { resolve, reject, onEvent })
        this.#busy()
        this.#send({ type: 'call', id, operation, params })
        signal?.addEventListener('abort', abort, { once: true })
      })
    } catch (error) {
      if (signal?.aborted) throw cancelled([], { cause: signal.reason })
      throw error
    } finally {
      signal?.removeEventListener('abort', abort)
      this.#pending.delete(id)
      if (this.#pending.size === 0) this.#idle()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#gone !== undefined) return
    this.#busy()
    this.#send({ type: 'close' })
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_MS)
    await this.#ended
    clearTimeout(timer)
  }

  #receive(message: FromWorker): void {
    if (message.type === 'ready') return
    const pending = this.#pending.get(message.id)
    if (message.type === 'event') pending?.onEvent?.(message.event as E)
    else if (message.type === 'result') pending?.resolve(message.value)
    else pending?.reject(unpackError(message.error))
  }

  #send(message: ToWorker): void {
    // A worker that is gone has failed all calls already.
    if (this.#child.connected) this.#child.send(message, () => {})
  }

  /** Between calls the worker does not keep the caller's process alive. */
  #idle(): void {
    this.#child.unref()
    this.#child.channel?.unref()
  }

  #busy(): void {
    this.#child.ref()
    this.#child.channel?.ref()
  }
}
