/** What services that keep objects by name have in common, for caches in them. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { UrlAnswer } from '@tsbuild/registry-client'

/** What an object is known by. */
export interface ObjectState {
  readonly size: number
  /** Milliseconds. */
  readonly modified: number
  /** Changes with the content. */
  readonly etag: string
}

/** An object that is read. Chunks are valid until the next one is asked for. */
export interface FoundObject {
  readonly etag: string
  readonly mediaType: string | undefined
  readonly body: AsyncIterable<Buffer>
}

/** What must be there for a write to happen: the object with that etag, or none. */
export type WriteCondition = { readonly etag: string } | 'absent'

/** Failures are a `ServiceError` or an error of the network. */
export interface ObjectStore {
  /** Whether conditions of writes are kept: some servers that speak the same protocol do not look at them. */
  readonly conditional: boolean
  /** undefined: there is no such object. */
  stat(key: string, signal: AbortSignal): Promise<ObjectState | undefined>
  /** The object from a byte on; undefined: there is none. */
  get(key: string, offset: number, signal: AbortSignal): Promise<FoundObject | undefined>
  /** Writes a small object whole. Returns its etag, or undefined when the condition is not met. */
  put(
    key: string,
    bytes: Buffer,
    mediaType: string,
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<string | undefined>
  /** Writes a big object: it is there whole or not at all. Chunks are done with before the next one is asked for. */
  upload(key: string, size: number, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>
  /** Makes an object as new as if it had been written now. Absent: age means nothing there. */
  readonly touch?: ((key: string, size: number, signal: AbortSignal) => Promise<void>) | undefined
}

/** What the answer to a HEAD says. */
export function stateOf({ headers }: UrlAnswer): ObjectState {
  const header = (name: string) => headers.get(name)?.[0] ?? ''
  const modified = Date.parse(header('last-modified'))
  return {
    size: /^\d{1,15}$/.test(header('content-length')) ? Number(header('content-length')) : -1,
    modified: Number.isNaN(modified) ? 0 : modified,
    etag: header('etag'),
  }
}

/** Places that are taken and given back; who comes first gets one first. */
export class Slots {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  /** Returns what gives it back. */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#free > 0) this.#free--
    else {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const abort = () => {
        const at = this.#waiting.indexOf(resolve)
        if (at >= 0) this.#waiting.splice(at, 1)
        reject(signal.reason)
      }
      this.#waiting.push(resolve)
      signal.addEventListener('abort', abort, { once: true })
      try {
        await promise
      } finally {
        signal.removeEventListener('abort', abort)
      }
    }
    return () => {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}

/** Waits for a random time up to `ms`, half of it at least, so that those who collided do not again. */
export async function pauseAbout(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms * (0.5 + Math.random() / 2), undefined, { signal })
}
