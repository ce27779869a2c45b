/**
 * One HTTP exchange, without opinions: what the transports implement and everything above builds on.
 */

/** Response headers: lowercase names, values in order of arrival. */
export type HttpHeaders = ReadonlyMap<string, readonly string[]>

/** First value of a header. */
export function header(headers: HttpHeaders, name: string): string | undefined {
  return headers.get(name)?.[0]
}

/** A body that is sent. An iterable is consumed chunk by chunk; a chunk is done with when the next one is asked for. */
export type HttpRequestBody = Uint8Array | AsyncIterable<Uint8Array>

export interface HttpRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: HttpRequestBody | undefined
  /** Milliseconds for the whole head of the answer, and all 1xx answers before it, once the request is sent. */
  readonly headersMs: number
  /** Milliseconds of silence within the answer's body, and for each chunk of the request's body to be taken. */
  readonly idleMs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * The body of an answer. Iterate it once, or call {@link discard}: one of them has to happen, or its connection stays
 * taken. Chunks may be valid only until the next one is asked for.
 */
export interface HttpResponseBody extends AsyncIterable<Buffer> {
  /** Lets the body go without reading (much of) it. Never rejects. */
  discard(): Promise<void>
}

export interface HttpResponse {
  readonly status: number
  readonly headers: HttpHeaders
  readonly body: HttpResponseBody
}

/** Sends requests to one origin. Failures are the errors of the network with their `code`; no retries, no redirects. */
export interface HttpTransport {
  send(request: HttpRequest): Promise<HttpResponse>
  /** Closes all connections; requests in flight fail. */
  close(): Promise<void>
}

/** The server was silent for too long. `code` is that of undici's error for the same thing. */
export class IdleTimeoutError extends Error {
  override readonly name = 'IdleTimeoutError'
  readonly code = 'UND_ERR_BODY_TIMEOUT'
  readonly ms: number

  /** @param what the server was for that long */
  constructor(ms: number, what = 'no data') {
    super(what === 'no data' ? `no data for ${ms} ms` : `${what} after ${ms} ms`)
    this.ms = ms
  }
}

/** The peer broke the HTTP protocol or closed the connection in the middle of a message. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly code: 'ECONNRESET' | 'EPROTO'

  constructor(message: string, code: 'ECONNRESET' | 'EPROTO' = 'EPROTO') {
    super(message)
    this.code = code
  }
}

/**
 * Copies a whole body into memory; undefined when it has more than `limit` bytes (the rest is discarded).
 *
 * @param totalMs for all of it: a body that drips is never silent, and never done
 * @throws IdleTimeoutError
 */
export async function readBody(body: HttpResponseBody, limit: number, totalMs: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  const began = performance.now()
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > limit) return undefined
    if (performance.now() - began > totalMs) throw new IdleTimeoutError(totalMs, 'not done')
    chunks.push(Buffer.from(chunk))
  }
  return Buffer.concat(chunks, size)
}
