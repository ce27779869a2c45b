/**
 * Blobs down (distribution-spec "Pulling blobs"): verified while they stream, resumed when they break off.
 *
 * A transfer that breaks goes on from where it was, always asked for at the registry's own URL: the address a
 * redirect led to may have expired. Whoever has been handed bytes keeps them, so what cannot be resumed is fetched
 * again and the known part skipped. A wrong digest is found out only at the end; the caller starts over then.
 */
import type { OpenBlobOptions } from './content.ts'
import type { Descriptor } from './descriptor.ts'
import { DigestVerifier, parseDigest } from './digest.ts'
import { isRegistryError, type RegistryError, registryErrors } from './errors.ts'
import { foreignChunks } from './foreign.ts'
import { inlineData } from './manifests.ts'
import { parallelChunks, parallelThreshold } from './parallel-download.ts'
import { type RepositoryAccess, sendTo } from './repository-access.ts'
import type { HostClient, RegistryAnswer } from './transport/host-client.ts'
import { type HttpResponseBody, header } from './transport/http.ts'
import { networkError } from './transport/response-error.ts'
import { backoff, isTransientError, pause, silenceLimit } from './transport/retry.ts'
import { steady } from './transport/steady.ts'

/** Progress that makes a transfer worth another full set of attempts. */
const progressBytes = 64 << 10

/** Names a blob in messages. */
export function blobName({ registry, repository }: RepositoryAccess, { digest }: Pick<Descriptor, 'digest'>): string {
  return `${registry}/${repository}@${digest}`
}

/** The content of a blob from `offset` on; see `Source.openBlob`. */
export async function* downloadBlob(
  access: RepositoryAccess,
  descriptor: Descriptor,
  options: OpenBlobOptions = {},
): AsyncGenerator<Buffer> {
  const { offset = 0, signal, transient = false } = options
  const { size } = descriptor
  parseDigest(descriptor.digest)
  if (offset > size) throw registryErrors.sizeMismatch([blobName(access, descriptor), size, `a start at ${offset}`])
  const verifier = offset === 0 ? new DigestVerifier(descriptor) : undefined
  let position = offset
  for await (const chunk of chunksFrom(access, descriptor, offset, signal)) {
    position += chunk.length
    if (position > size) throw registryErrors.sizeMismatch([blobName(access, descriptor), size, 'more'])
    verifier?.update(chunk)
    yield transient ? chunk : Buffer.from(chunk)
  }
  if (position !== size) throw registryErrors.sizeMismatch([blobName(access, descriptor), size, String(position)])
  try {
    verifier?.end()
  } catch (error) {
    access.suspects.add(descriptor.digest)
    throw error
  }
}

/** The bytes from each server in turn: a later one goes on where an earlier one failed. */
async function* chunksFrom(
  access: RepositoryAccess,
  descriptor: Descriptor,
  offset: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const inline = inlineData(descriptor, access.limits.manifestBytes)
  if (inline !== undefined) {
    yield inline.subarray(offset)
    return
  }
  if (descriptor.size === offset) return
  const state = { position: offset }
  const all = await access.hosts('pull', signal)
  const hosts = access.suspects.has(descriptor.digest) && all.length > 1 ? all.slice(-1) : all
  let last: unknown
  for (const host of hosts) {
    const { mirror, host: name } = host.endpoint
    try {
      if (access.parallelRanges > 1 && descriptor.size - state.position > parallelThreshold) {
        yield* parallelChunks(host, access, descriptor, state, signal)
      } else {
        yield* fromHost(host, access, descriptor, state, signal)
      }
      if (mirror) host.env.onEvent({ type: 'mirror', registry: access.registry, host: name, outcome: 'used' })
      return
    } catch (error) {
      signal?.throwIfAborted()
      if (!isRegistryError(error)) throw error
      last = error
      if (mirror)
        host.env.onEvent({
          type: 'mirror',
          registry: access.registry,
          host: name,
          outcome: 'skipped',
          reason: error.message,
        })
    }
  }
  if (isRegistryError(last, 'NOT_FOUND') && descriptor.urls !== undefined && descriptor.urls.length > 0) {
    yield* foreignChunks(access, hosts.at(-1)!, descriptor, state.position, signal)
    return
  }
  throw last ?? registryErrors.unsupported([access.registry, 'no server is configured to pull'])
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
        if (!isTransientError(error))
          throw error instanceof Error && 'code' in error
            ? networkError(error, what, failures + 1, timeouts.idleMs)
            : error
        failure = networkError(error, what, failures + 1, timeouts.idleMs)
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
