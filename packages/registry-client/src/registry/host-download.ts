/** A blob, or a part of one, from one server: over as many requests as it takes. */
import type { Descriptor } from '../model/descriptor.ts'
import { isRegistryError, type RegistryError, registryErrors } from '../model/errors.ts'
import { type HttpResponseBody, header } from '../transport/http.ts'
import { networkError } from '../transport/network-error.ts'
import { backoff, isNetworkError, isTransientError, pause, silenceLimit } from '../transport/retry.ts'
import { steady } from '../transport/steady.ts'
import type { HostClient, RegistryAnswer } from './host-client.ts'
import { type RepositoryAccess, sendTo } from './repository-access.ts'

/** Progress that makes a transfer worth another full set of attempts. */
const progressBytes = 64 << 10

/** Names a blob in messages. */
export function blobName({ registry, repository }: RepositoryAccess, { digest }: Pick<Descriptor, 'digest'>): string {
  return `${registry}/${repository}@${digest}`
}

/** Where a transfer is; shared by its attempts. */
export interface TransferState {
  position: number
}

/** The bytes from `state.position` to the end from one server, over as many requests as it takes. */
export async function* fromHost(
  host: HostClient,
  access: RepositoryAccess,
  descriptor: Descriptor,
  state: TransferState,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const { retry, timeouts, random, onEvent } = host.env
  const what = blobName(access, descriptor)
  let whole = false
  let silences = 0
  for (let failures = 0; ; ) {
    const began = state.position
    let failure: RegistryError
    try {
      const answer = await requestFrom(host, access, descriptor, whole ? 0 : state.position, signal)
      const { body, skip, ignored } = bodyAt(answer, descriptor, state.position, what)
      whole ||= ignored
      let left = skip
      for await (const chunk of steady(body, timeouts.idleMs)) {
        const part = left === 0 ? chunk : chunk.subarray(Math.min(left, chunk.length))
        left -= chunk.length - part.length
        if (part.length === 0) continue
        state.position += part.length
        yield part
      }
      if (state.position >= descriptor.size) return
      failure = registryErrors.sizeMismatch([what, descriptor.size, String(state.position)])
    } catch (error) {
      signal?.throwIfAborted()
      if (isRegistryError(error)) {
        if (error.status === 416 && !whole) {
          // The server does not know the range: what it has may still be the blob, from its start.
          whole = true
          continue
        }
        if (!isRegistryError(error, 'SIZE_MISMATCH') || state.position > descriptor.size) throw error
        failure = error
      } else {
        if (!isNetworkError(error)) throw error
        failure = networkError(error, what, failures + 1, timeouts.idleMs)
        if (!isTransientError(error)) throw failure
        // Everything was there before the connection broke: the digest decides.
        if (state.position === descriptor.size) return
      }
    }
    const progressed = state.position - began >= progressBytes
    failures = progressed ? 1 : failures + 1
    silences = failure.code !== 'TIMEOUT' ? silences : progressed ? 1 : silences + 1
    if (failures >= retry.attempts || silences >= silenceLimit) throw failure
    const delayMs = backoff(failures, retry, random)
    onEvent({ type: 'retry', method: 'GET', url: what, attempt: failures + 1, delayMs, reason: failure.message })
    await pause(delayMs, signal)
  }
}

/** Asks for the blob from a byte on. Conditions that more requests may change are retried here already. */
export function requestFrom(
  host: HostClient,
  access: RepositoryAccess,
  { digest }: Pick<Descriptor, 'digest'>,
  first: number,
  signal: AbortSignal | undefined,
  last?: number,
): Promise<RegistryAnswer> {
  const ranged = first > 0 || last !== undefined
  const headers: Record<string, string> = ranged ? { range: `bytes=${first}-${last ?? ''}` } : {}
  const call = {
    method: 'GET',
    path: `blobs/${digest}`,
    headers,
    expect: ranged ? [200, 206] : [200],
  } as const
  return sendTo(host, access, { ...call, what: blobName(access, { digest }), signal }, 'pull')
}

/** What the body of an answer holds: how many bytes to skip to be at `position`. */
function bodyAt(
  answer: RegistryAnswer,
  { size }: Descriptor,
  position: number,
  what: string,
): { body: HttpResponseBody; skip: number; ignored: boolean } {
  const refuse = (error: RegistryError): never => {
    void answer.body.discard()
    throw error
  }
  const length = header(answer.headers, 'content-length')
  if (answer.status === 206) {
    const range = parseContentRange(header(answer.headers, 'content-range'))
    if (range === undefined) return refuse(registryErrors.sizeMismatch([what, size, 'an unknown range']))
    if (range.total !== undefined && range.total !== size)
      return refuse(registryErrors.sizeMismatch([what, size, String(range.total)]))
    if (range.first > position) return refuse(registryErrors.sizeMismatch([what, size, `a range from ${range.first}`]))
    return { body: answer.body, skip: position - range.first, ignored: false }
  }
  if (length !== undefined && Number(length) > size) return refuse(registryErrors.sizeMismatch([what, size, length]))
  return { body: answer.body, skip: position, ignored: position > 0 }
}

/** `bytes 5-9/10` or `bytes 5-9/*` (RFC 9110 section 14.4). */
export function parseContentRange(
  value: string | undefined,
): { first: number; last: number; total: number | undefined } | undefined {
  const match = /^bytes\s+(\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(value?.trim() ?? '')
  if (match === null) return undefined
  return { first: Number(match[1]), last: Number(match[2]), total: match[3] === '*' ? undefined : Number(match[3]) }
}
