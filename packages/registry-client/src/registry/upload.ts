/**
 * Blobs up (distribution-spec "Pushing blobs"): existing ones are found, others mounted from a neighbour repository,
 * and the rest sent in one request, or in chunks where a server or a proxy before it does not take that.
 *
 * A session that breaks is asked for its state and gone on with; one that is lost is started over. The session is
 * deleted when the upload is given up.
 */
import { repositoryScope } from '../auth/scope.ts'
import { repositoryPath } from '../hosts/endpoint.ts'
import type { BlobPushResult, OpenContent, PushBlobOptions } from '../model/content.ts'
import type { Descriptor } from '../model/descriptor.ts'
import { type Digest, digestAlgorithm, isDigest, parseDigest } from '../model/digest.ts'
import { isRegistryError, RegistryError, registryErrors } from '../model/errors.ts'
import { header } from '../transport/http.ts'
import { networkError } from '../transport/network-error.ts'
import { resolveLocation } from '../transport/redirect.ts'
import { backoff, isTransientError, isTransientStatus, pause, silenceLimit } from '../transport/retry.ts'
import type { HostClient, RegistryAnswer } from './host-client.ts'
import { blobName } from './host-download.ts'
import { type RepositoryAccess, sendTo, upstream } from './repository-access.ts'
import { type ChunkPlan, SourceFailure, sendChunks, sendWhole, type UploadSession } from './upload-session.ts'

/** How often an upload starts over when sessions are lost, beside the attempts within one. */
const restartLimit = 3
/** Chunks when a whole blob is refused: first size and smallest. */
const firstChunkBytes = 16 << 20
const smallestChunkBytes = 1 << 20

/** true when the repository has the blob. */
export async function hasBlob(
  access: RepositoryAccess,
  descriptor: Pick<Descriptor, 'digest'>,
  signal?: AbortSignal,
): Promise<boolean> {
  return headBlob(await upstream(access, signal), access, descriptor, signal)
}

async function headBlob(
  host: HostClient,
  access: RepositoryAccess,
  descriptor: Pick<Descriptor, 'digest'>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  parseDigest(descriptor.digest)
  const call = {
    method: 'HEAD',
    path: `blobs/${descriptor.digest}`,
    expect: [200, 404, 405],
    what: blobName(access, descriptor),
    signal,
  } as const
  const answer = await sendTo(host, access, call, 'pull', 'push')
  await answer.body.discard()
  return answer.status === 200
}

/** Makes sure the repository has the blob; see `Target.pushBlob`. */
export async function pushBlob(
  access: RepositoryAccess,
  descriptor: Descriptor,
  open: OpenContent,
  options: PushBlobOptions = {},
): Promise<BlobPushResult> {
  const { signal, mountFrom = [], onProgress } = options
  const host = await upstream(access, signal)
  const done = (result: BlobPushResult): BlobPushResult => {
    onProgress?.({ descriptor, transferred: descriptor.size })
    return result
  }
  if (await headBlob(host, access, descriptor, signal)) return done('exists')
  const opened = await mount(host, access, descriptor, mountFrom, signal)
  if (opened === 'mounted') return done('mounted')
  await upload(host, access, descriptor, open, opened, options)
  return done('uploaded')
}

/**
 * Tries to link the blob from repositories that may have it (distribution-spec "Mounting a blob from another
 * repository"). Whatever goes wrong only means that its bytes have to be sent; the session that a registry opens
 * instead is used for that.
 */
async function mount(
  host: HostClient,
  access: RepositoryAccess,
  descriptor: Descriptor,
  candidates: readonly string[],
  signal: AbortSignal | undefined,
): Promise<'mounted' | UploadSession | undefined> {
  const prefix = `${access.registry}/`
  const own = candidates.filter((name) => name.startsWith(prefix) && name !== prefix + access.repository)
  for (const candidate of own) {
    const from = repositoryPath(host.endpoint, candidate.slice(prefix.length))
    const call = {
      method: 'POST',
      path: 'blobs/uploads/',
      query: [
        ['mount', descriptor.digest],
        ['from', from],
      ],
      scopes: [repositoryScope(from, 'pull')],
      expect: [201, 202],
      attempts: 1,
      what: blobName(access, descriptor),
      signal,
    } as const
    try {
      const answer = await sendTo(host, access, call, 'pull', 'push')
      await answer.body.discard()
      if (answer.status === 201) return 'mounted'
      return sessionOf(answer, blobName(access, descriptor))
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof RegistryError)) throw error
    }
  }
  return undefined
}

/** Opens an upload session. */
export async function begin(
  host: HostClient,
  access: RepositoryAccess,
  digest: Digest | undefined,
  what: string,
  signal: AbortSignal | undefined,
): Promise<UploadSession> {
  // Registries that hash while they receive have to be told when it is not sha256.
  const algorithm =
    digest === undefined || digestAlgorithm(digest) === 'sha256'
      ? []
      : [['digest-algorithm', digestAlgorithm(digest)] as const]
  const answer = await sendTo(
    host,
    access,
    { method: 'POST', path: 'blobs/uploads/', query: algorithm, expect: [202], what, signal },
    'pull',
    'push',
  )
  await answer.body.discard()
  return sessionOf(answer, what)
}

function sessionOf(answer: RegistryAnswer, what: string): UploadSession {
  const minimum = Number(header(answer.headers, 'oci-chunk-min-length') ?? 0)
  const location = resolveLocation(header(answer.headers, 'location'), answer.url, what)
  return { location, offset: 0, minimumChunk: Number.isSafeInteger(minimum) && minimum > 0 ? minimum : 0 }
}

/** Sends the bytes, over as many requests and sessions as it takes. */
async function upload(
  host: HostClient,
  access: RepositoryAccess,
  descriptor: Descriptor,
  open: OpenContent,
  first: UploadSession | undefined,
  { signal, onProgress }: PushBlobOptions,
): Promise<void> {
  const { retry, random, onEvent } = host.env
  const what = blobName(access, descriptor)
  const job = { host, access, descriptor, open, what, signal, onProgress }
  const tries = { failures: 0, silences: 0, restarts: 0, refusals: 0, reached: 0 }
  let session = first
  let plan: ChunkPlan = { kind: 'whole' }
  try {
    for (;;) {
      session ??= await begin(host, access, descriptor.digest, what, signal)
      let failure: RegistryError
      try {
        if (plan.kind === 'whole' && session.offset === 0) await sendWhole(job, session)
        else await sendChunks(job, session, plan)
        return
      } catch (error) {
        signal?.throwIfAborted()
        failure = asFailure(error, what, tries.failures + 1)
      }
      if (failure.code === 'TOO_LARGE') {
        plan = smaller(plan, failure, session)
        session = await discardSession(host, access, session, signal)
        continue
      }
      noteProgress(tries, session.offset)
      giveUp(tries, failure, retry.attempts)
      const wanted = Math.min(failure.retryAfterMs ?? 0, retry.maxRetryAfterMs)
      const delayMs = Math.max(backoff(tries.failures, retry, random), wanted)
      onEvent({
        type: 'retry',
        method: 'PUT',
        url: what,
        attempt: tries.failures + 1,
        delayMs,
        reason: failure.message,
      })
      await pause(delayMs, signal)
      const resumed = await resume(host, access, session, descriptor.size, what, signal)
      if (resumed !== undefined) {
        session = resumed
        noteProgress(tries, session.offset)
        continue
      }
      session = await discardSession(host, access, session, signal)
      // The answer to a finished upload may be all that was lost.
      if (await headBlob(host, access, descriptor, signal)) return
      if (++tries.restarts > restartLimit) throw failure
    }
  } catch (error) {
    if (session !== undefined) await discardSession(host, access, session, undefined)
    throw error
  }
}

interface Tries {
  failures: number
  silences: number
  restarts: number
  refusals: number
  /** The furthest offset so far. */
  reached: number
}

/** Getting further earns a new set of attempts. */
function noteProgress(tries: Tries, offset: number): void {
  if (offset <= tries.reached) return
  tries.reached = offset
  tries.failures = 0
  tries.silences = 0
}

/** Counts a failure. @throws it when it was one too many */
function giveUp(tries: Tries, failure: RegistryError, attempts: number): void {
  tries.failures++
  if (failure.code === 'TIMEOUT') tries.silences++
  // A digest is refused once for what got lost on the way, twice because it is wrong.
  if (failure.registryErrors.some(({ code }) => code === 'DIGEST_INVALID')) tries.refusals++
  if (tries.failures >= attempts || tries.silences >= silenceLimit || tries.refusals > 1) throw failure
}

/** What another try may help against, as an error to remember; throws everything else. */
function asFailure(error: unknown, what: string, attempt: number): RegistryError {
  if (error instanceof SourceFailure) throw error.failure
  if (isRegistryError(error)) {
    const lostSession = error.status === 404 || error.status === 416 || (error.status === 400 && !isDenied(error))
    const transient = error.status !== undefined && isTransientStatus(error.status)
    if (lostSession || transient || error.code === 'TOO_LARGE' || error.code === 'NETWORK' || error.code === 'TIMEOUT')
      return error
    throw error
  }
  if (isTransientError(error)) return networkError(error, what, attempt, 0)
  throw error
}

function isDenied(error: RegistryError): boolean {
  return error.registryErrors.some(({ code }) =>
    ['DENIED', 'UNAUTHORIZED', 'UNSUPPORTED', 'NAME_INVALID', 'SIZE_INVALID'].includes(code),
  )
}

/** The next smaller way to send. @throws RegistryError TOO_LARGE when there is none */
function smaller(plan: ChunkPlan, failure: RegistryError, session: UploadSession | undefined): ChunkPlan {
  const least = Math.max(session?.minimumChunk ?? 0, smallestChunkBytes)
  if (plan.kind === 'whole') return { kind: 'chunks', bytes: Math.max(firstChunkBytes, least) }
  if (plan.bytes <= least) throw failure
  return { kind: 'chunks', bytes: Math.max(least, plan.bytes >> 2) }
}

/**
 * Asks a session how much it has (distribution-spec "Pushing a blob in chunks"); undefined when it is lost, or says
 * something that cannot be relied on.
 */
async function resume(
  host: HostClient,
  access: RepositoryAccess,
  session: UploadSession | undefined,
  size: number,
  what: string,
  signal: AbortSignal | undefined,
): Promise<UploadSession | undefined> {
  if (session === undefined) return undefined
  try {
    const answer = await sendTo(
      host,
      access,
      { method: 'GET', path: session.location, expect: [204], attempts: 2, what, signal },
      'pull',
      'push',
    )
    await answer.body.discard()
    const range = /^(?:bytes=)?0-(\d{1,15})$/.exec(header(answer.headers, 'range')?.trim() ?? '')
    if (range === null) return undefined
    const location = header(answer.headers, 'location')
    // A range of 0-0 is what registries write for nothing at all as well as for one byte.
    const offset = range[1] === '0' ? 0 : Number(range[1]) + 1
    if (offset > size) return undefined
    return {
      ...session,
      offset,
      location: location === undefined ? session.location : resolveLocation(location, answer.url, what),
    }
  } catch (error) {
    signal?.throwIfAborted()
    if (!(error instanceof RegistryError)) throw error
    return undefined
  }
}

/** Lets a session go, so that the registry need not keep what was sent. Never fails. */
export async function discardSession(
  host: HostClient,
  access: RepositoryAccess,
  session: UploadSession | undefined,
  signal: AbortSignal | undefined,
): Promise<undefined> {
  if (session === undefined) return undefined
  const patience = AbortSignal.timeout(5000)
  const call = {
    method: 'DELETE',
    path: session.location,
    expect: [204, 200, 202, 404, 405],
    attempts: 1,
    what: 'upload session',
  } as const
  try {
    const answer = await sendTo(
      host,
      access,
      { ...call, signal: signal === undefined ? patience : AbortSignal.any([signal, patience]) },
      'pull',
      'push',
    )
    await answer.body.discard()
  } catch {
    // Sessions run out by themselves.
  }
  return undefined
}

/** Deletes a blob (distribution-spec "Deleting Blobs"). */
export async function deleteBlob(access: RepositoryAccess, digest: Digest, signal?: AbortSignal): Promise<void> {
  if (!isDigest(digest)) throw registryErrors.digestInvalid([digest])
  const host = await upstream(access, signal)
  const call = {
    method: 'DELETE',
    path: `blobs/${digest}`,
    expect: [202, 200, 204],
    what: blobName(access, { digest }),
    signal,
  } as const
  const answer = await sendTo(host, access, call, 'delete')
  await answer.body.discard()
}
