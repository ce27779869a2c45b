/**
 * The requests of one upload session: the whole blob by one PUT, or chunks by PATCH and a closing PUT.
 */
import type { BlobProgress, OpenContent } from '../model/content.ts'
import type { Descriptor } from '../model/descriptor.ts'
import { type Digest, DigestVerifier } from '../model/digest.ts'
import { registryErrors } from '../model/errors.ts'
import { isSelfVerifying } from '../model/verified-stream.ts'
import { header } from '../transport/http.ts'
import { resolveLocation } from '../transport/redirect.ts'
import type { HostClient, RegistryAnswer } from './host-client.ts'
import { type RepositoryAccess, sendTo } from './repository-access.ts'

/** A session as far as it has come. Updated by each answer of the registry. */
export interface UploadSession {
  location: URL
  /** Bytes that the registry has. */
  offset: number
  /** `OCI-Chunk-Min-Length`; 0 for none. */
  readonly minimumChunk: number
}

/** How the bytes are cut into requests. */
export type ChunkPlan = { readonly kind: 'whole' } | { readonly kind: 'chunks'; readonly bytes: number }

/** What all requests of one upload share. */
export interface UploadJob {
  readonly host: HostClient
  readonly access: RepositoryAccess
  readonly descriptor: Descriptor
  readonly open: OpenContent
  readonly what: string
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: BlobProgress) => void) | undefined
}

/** The content could not be read, or is not the blob: no fault of the registry, so never retried. */
export class SourceFailure extends Error {
  override readonly name = 'SourceFailure'
  /** What the source threw. Not `cause`: its code must not be taken for one of the connection. */
  readonly failure: unknown

  constructor(failure: unknown) {
    super('the source of the upload failed')
    this.failure = failure
  }
}

/** Appends a parameter and leaves the rest of the query as the registry wrote it. */
function withQuery(url: URL, name: string, value: string): URL {
  const result = new URL(url)
  const pair = `${name}=${encodeURIComponent(value).replaceAll('%3A', ':')}`
  result.search = result.search === '' ? `?${pair}` : `${result.search}&${pair}`
  return result
}

/** POST, then PUT: the whole blob in one request. */
export async function sendWhole(job: UploadJob, session: UploadSession): Promise<void> {
  const { descriptor, access, host, what, signal } = job
  const answer = await sendTo(
    host,
    access,
    {
      method: 'PUT',
      path: withQuery(session.location, 'digest', descriptor.digest),
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(descriptor.size) },
      body: () => contentFrom(job, 0),
      expect: [201, 200, 204],
      attempts: 1,
      headersMs: host.env.timeouts.commitMs,
      what,
      signal,
    },
    'pull',
    'push',
  )
  await answer.body.discard()
}

/** PATCH by PATCH from the session's offset, then the closing PUT. */
export async function sendChunks(job: UploadJob, session: UploadSession, plan: ChunkPlan): Promise<void> {
  const { descriptor, access, host, what, signal } = job
  const { size } = descriptor
  let reader = new ChunkReader(contentFrom(job, session.offset))
  try {
    while (session.offset < size) {
      const start = session.offset
      const bytes = Math.min(plan.kind === 'whole' ? size : plan.bytes, size - start)
      let used = false
      const body = () => {
        if (used) reader = new ChunkReader(contentFrom(job, start))
        used = true
        return reader.take(bytes)
      }
      const headers = {
        'content-type': 'application/octet-stream',
        'content-length': String(bytes),
        'content-range': `${start}-${start + bytes - 1}`,
      }
      const answer = await patch({ host, access, what, signal }, session, headers, body)
      const range = /^(?:bytes=)?0-(\d{1,15})$/.exec(header(answer.headers, 'range')?.trim() ?? '')
      if (range !== null && Number(range[1]) !== start + bytes - 1) {
        throw registryErrors.rejected(
          [what, 416, `the registry has ${range[1]} bytes where ${start + bytes - 1} were sent`],
          { status: 416 },
        )
      }
      session.offset = start + bytes
      follow(session, answer, what)
    }
  } finally {
    await reader.close()
  }
  await finish(job, session.location, descriptor.digest)
}

type Sender = Pick<UploadJob, 'host' | 'access' | 'what' | 'signal'>

/** One PATCH at the session's location. */
export async function patch(
  { host, access, what, signal }: Sender,
  session: UploadSession,
  headers: Readonly<Record<string, string>>,
  body: () => AsyncIterable<Uint8Array>,
): Promise<RegistryAnswer> {
  const call = {
    method: 'PATCH',
    path: session.location,
    headers,
    body,
    expect: [202, 204],
    attempts: 1,
    headersMs: host.env.timeouts.commitMs,
    what,
    signal,
  } as const
  const answer = await sendTo(host, access, call, 'pull', 'push')
  await answer.body.discard()
  return answer
}

/** Where the session goes on, if the answer says so. */
export function follow(session: UploadSession, answer: RegistryAnswer, what: string): void {
  const location = header(answer.headers, 'location')
  if (location !== undefined) session.location = resolveLocation(location, answer.url, what)
}

/** The closing PUT of a session whose bytes are all there. */
export async function finish({ host, access, what, signal }: Sender, location: URL, digest: Digest): Promise<void> {
  const path = withQuery(location, 'digest', digest)
  const call = {
    method: 'PUT',
    path,
    expect: [201, 200, 204],
    attempts: 1,
    headersMs: host.env.timeouts.commitMs,
    what,
    signal,
  } as const
  const answer = await sendTo(host, access, call, 'pull', 'push')
  await answer.body.discard()
}

/** The content from a byte on, counted and, from the start, verified unless it verifies itself. */
async function* contentFrom({ open, descriptor, onProgress }: UploadJob, offset: number): AsyncGenerator<Uint8Array> {
  let transferred = offset
  try {
    const content = open(offset)
    const verifier =
      offset === 0 && !isSelfVerifying(content, descriptor.digest) ? new DigestVerifier(descriptor) : undefined
    for await (const chunk of content) {
      transferred += chunk.length
      if (transferred > descriptor.size) throw registryErrors.sizeMismatch([descriptor.digest, descriptor.size, 'more'])
      verifier?.update(chunk)
      // The last bytes are held back until the whole is known to be right: a registry never sees a wrong blob whole.
      if (transferred === descriptor.size) verifier?.end()
      yield chunk
      onProgress?.({ descriptor, transferred })
    }
    if (transferred !== descriptor.size)
      throw registryErrors.sizeMismatch([descriptor.digest, descriptor.size, String(transferred)])
  } catch (error) {
    throw error instanceof SourceFailure ? error : new SourceFailure(error)
  }
}

/** Cuts a stream into requests. What is left of a chunk is kept for the next one. */
class ChunkReader {
  readonly #iterator: AsyncIterator<Uint8Array>
  #rest: Uint8Array | undefined

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#iterator = chunks[Symbol.asyncIterator]()
  }

  /** The next `bytes` bytes. Leaves the stream open for the next call. */
  async *take(bytes: number): AsyncGenerator<Uint8Array> {
    let left = bytes
    while (left > 0) {
      const chunk = this.#rest ?? (await this.#pull())
      this.#rest = chunk.length > left ? chunk.subarray(left) : undefined
      const part = chunk.subarray(0, left)
      left -= part.length
      yield part
    }
  }

  async close(): Promise<void> {
    await this.#iterator.return?.()
  }

  async #pull(): Promise<Uint8Array> {
    const next = await this.#iterator.next()
    if (next.done === true) throw new SourceFailure(new Error('the content ended early'))
    return next.value
  }
}
