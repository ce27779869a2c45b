/**
 * Big blobs by several ranges at once, for links where one connection does not fill the line.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Descriptor } from '../model/descriptor.ts'
import { header } from '../transport/http.ts'
import { steady } from '../transport/steady.ts'
import type { HostClient } from './host-client.ts'
import { blobName, fromHost, parseContentRange, requestFrom, type TransferState } from './host-download.ts'
import type { RepositoryAccess } from './repository-access.ts'

/** Blobs must have more left than this to be worth it, and the size of one range. Bytes. */
export const parallelThreshold = 32 << 20
const segmentBytes = 8 << 20

/**
 * The bytes from `state.position` on, in order, with up to `access.parallelRanges` ranges on their way: that many
 * times 8 MiB of memory. A range that fails in any way is left to the sequential transfer, with all its patience.
 */
export async function* parallelChunks(
  host: HostClient,
  access: RepositoryAccess,
  descriptor: Descriptor,
  state: TransferState,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  using controller = disposableController(signal)
  const pending: Promise<Buffer | undefined>[] = []
  let next = state.position
  const start = () => {
    while (next < descriptor.size && pending.length < access.parallelRanges) {
      const last = Math.min(next + segmentBytes, descriptor.size) - 1
      pending.push(fetchRange(host, access, descriptor, next, last, controller.signal))
      next = last + 1
    }
  }
  start()
  while (pending.length > 0) {
    const segment = await pending.shift()!
    signal?.throwIfAborted()
    if (segment === undefined) break
    state.position += segment.length
    yield segment
    start()
  }
  controller.abort()
  await Promise.all(pending)
  if (state.position < descriptor.size) yield* fromHost(host, access, descriptor, state, signal)
}

/** One range in memory; undefined when it could not be had at the first try. */
async function fetchRange(
  host: HostClient,
  access: RepositoryAccess,
  descriptor: Descriptor,
  first: number,
  last: number,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  try {
    const answer = await requestFrom(host, access, descriptor, first, signal, last)
    const range = parseContentRange(header(answer.headers, 'content-range'))
    if (answer.status !== 206 || range?.first !== first || range.last !== last) {
      await answer.body.discard()
      return undefined
    }
    const segment = Buffer.allocUnsafeSlow(last - first + 1)
    let filled = 0
    for await (const chunk of steady(answer.body, host.env.timeouts.idleMs)) {
      if (filled + chunk.length > segment.length) return undefined
      segment.set(chunk, filled)
      filled += chunk.length
    }
    return filled === segment.length ? segment : undefined
  } catch (error) {
    host.env.onEvent({
      type: 'retry',
      method: 'GET',
      url: blobName(access, descriptor),
      attempt: 2,
      delayMs: 0,
      reason: String(error),
    })
    await nextTurn()
    return undefined
  }
}

/** A controller that follows `signal` and aborts when it goes out of scope. */
function disposableController(signal: AbortSignal | undefined): AbortController & Disposable {
  const controller = new AbortController()
  const follow = () => controller.abort(signal?.reason)
  if (signal?.aborted) follow()
  signal?.addEventListener('abort', follow, { once: true })
  return Object.assign(controller, {
    [Symbol.dispose]() {
      signal?.removeEventListener('abort', follow)
      controller.abort()
    },
  })
}
