/**
 * HTTP/1.1 over raw sockets: big reads into a reused buffer, writes without copies. On blobs that takes half the CPU of
 * streams of small buffers, and nothing has to be loaded for it.
 *
 * Chunks of response bodies are transient: valid until the next one is asked for.
 */
import type { LookupFunction } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from './connection.ts'
import {
  type HttpRequest,
  type HttpResponse,
  type HttpResponseBody,
  type HttpTransport,
  IdleTimeoutError,
  ProtocolError,
} from './http.ts'
import { bodyChunks } from './http-body.ts'
import { formatRequestHead, parseResponseHead, type ResponseHead } from './http-head.ts'
import { isClosed } from './retry.ts'
import { isUntrusted, withUnread } from './tls-error.ts'
import type { TlsSecurity } from './tls-security.ts'

/** Longest head of an answer with all 1xx answers before it, in bytes. */
const headLimit = 64 << 10
/** How much of an unwanted body is read to keep its connection, and for how long: a new one costs little more. */
const discardLimit = 64 << 10
const discardMs = 1000
const idleKeptMs = 10_000
/** How long an answer may still take to be read after the connection broke for writing. */
const lastWordsMs = 20

export interface SocketTransportOptions {
  readonly connectMs: number
  /** Whom to trust; absent: whom Node trusts. */
  readonly security?: TlsSecurity | undefined
  /** Finds addresses; default: the system does. */
  readonly lookup?: LookupFunction | undefined
}

/** Requests to one origin; connections are kept for reuse while nothing is known against them. */
export class SocketTransport implements HttpTransport {
  readonly #origin: URL
  readonly #options: SocketTransportOptions
  readonly #idle: { connection: Connection; timer: NodeJS.Timeout }[] = []
  readonly #busy = new Set<Connection>()
  #session: Buffer | undefined

  constructor(origin: URL, options: SocketTransportOptions) {
    this.#origin = origin
    this.#options = options
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    const { signal } = request
    signal?.throwIfAborted()
    const kept = this.#takeIdle()
    if (kept !== undefined) {
      try {
        return await this.#exchange(kept, request)
      } catch (error) {
        // The server may have closed the kept connection just when it was taken: that is no failure of the request.
        const replayable = request.body === undefined || request.body instanceof Uint8Array
        if (!replayable || !isClosed(error)) throw error
      }
    }
    return this.#exchange(await this.#open(signal), request)
  }

  async #open(signal: AbortSignal | undefined): Promise<Connection> {
    const { connectMs, security, lookup } = this.#options
    const secure = this.#origin.protocol === 'https:'
    // A TLS session that is resumed costs less of a handshake.
    const onSession = (session: Buffer) => {
      this.#session = session
    }
    for (;;) {
      const tls = secure ? await security?.options() : undefined
      const resumed = this.#session === undefined ? tls : { ...tls, session: this.#session }
      try {
        return await Connection.open({ origin: this.#origin, connectMs, tls: resumed, lookup, onSession, signal })
      } catch (error) {
        if (!isUntrusted(error)) throw error
        if (security?.widen() !== true) throw withUnread(error, security?.unread ?? [])
      }
    }
  }

  async #exchange(connection: Connection, request: HttpRequest): Promise<HttpResponse> {
    const { signal } = request
    this.#busy.add(connection)
    const abort = () => connection.destroy(signal?.reason instanceof Error ? signal.reason : undefined)
    signal?.addEventListener('abort', abort, { once: true })
    const finish = (reusable: boolean) => {
      signal?.removeEventListener('abort', abort)
      this.#busy.delete(connection)
      if (reusable && !connection.stale) this.#keep(connection)
      else connection.destroy()
    }
    try {
      const sentAll = await this.#sendRequest(connection, request)
      const head = await readHead(connection, request.method, request.headersMs)
      const reusable = head.keepAlive && sentAll
      if (head.framing.kind === 'none') finish(reusable)
      const body = responseBody(connection, head, request, (whole) => finish(whole && reusable))
      return { status: head.status, headers: head.headers, body }
    } catch (error) {
      finish(false)
      signal?.throwIfAborted()
      throw error
    }
  }

  async close(): Promise<void> {
    for (const { connection, timer } of this.#idle.splice(0)) {
      clearTimeout(timer)
      connection.destroy()
    }
    for (const connection of this.#busy) connection.destroy(new ProtocolError('the client was closed', 'ECONNRESET'))
  }

  /** @returns false when the server answered before it had everything: the connection cannot be used again then */
  async #sendRequest(connection: Connection, { method, url, headers, body, idleMs }: HttpRequest): Promise<boolean> {
    const chunked = body !== undefined && headers['content-length'] === undefined && !(body instanceof Uint8Array)
    const length = body instanceof Uint8Array ? { 'content-length': String(body.length) } : {}
    const head = formatRequestHead(method, url.pathname + url.search, {
      host: url.host,
      connection: 'keep-alive',
      ...headers,
      ...length,
      ...(chunked && { 'transfer-encoding': 'chunked' }),
    })
    await connection.write(head, idleMs)
    if (body === undefined) return true
    if (body instanceof Uint8Array) {
      if (body.length > 0) await connection.write(body, idleMs)
      return true
    }
    for await (const chunk of body) {
      if (connection.hasData) return false
      if (chunk.length === 0) continue
      try {
        if (chunked) await connection.write(`${chunk.length.toString(16)}\r\n`, idleMs)
        await connection.write(chunk, idleMs)
        if (chunked) await connection.write('\r\n', idleMs)
      } catch (error) {
        // A server that refuses an upload answers and closes: what it said tells more than the broken pipe.
        await sleep(lastWordsMs)
        if (connection.hasData) return false
        throw error
      }
    }
    if (chunked) await connection.write('0\r\n\r\n', idleMs)
    return true
  }

  #takeIdle(): Connection | undefined {
    for (let entry = this.#idle.pop(); entry !== undefined; entry = this.#idle.pop()) {
      clearTimeout(entry.timer)
      if (!entry.connection.stale) {
        entry.connection.setIdle(false)
        return entry.connection
      }
      entry.connection.destroy()
    }
    return undefined
  }

  #keep(connection: Connection): void {
    connection.setIdle(true)
    const timer = setTimeout(() => {
      const at = this.#idle.findIndex((entry) => entry.connection === connection)
      if (at >= 0) this.#idle.splice(at, 1)
      connection.destroy()
    }, idleKeptMs).unref()
    this.#idle.push({ connection, timer })
  }
}

/** Reads the head of the final answer; 1xx answers before it are skipped. */
async function readHead(connection: Connection, method: string, headersMs: number): Promise<ResponseHead> {
  const began = performance.now()
  let text = ''
  let skipped = 0
  for (;;) {
    const chunk = await connection.read(headersMs)
    if (chunk === undefined) throw new ProtocolError('connection closed before an answer', 'ECONNRESET')
    const before = text.length
    text += chunk.toString('latin1', 0, Math.min(chunk.length, headLimit))
    const end = text.indexOf('\r\n\r\n', Math.max(0, before - 3))
    if (end >= 0) {
      connection.unread(chunk.length - (end + 4 - before))
      const head = parseResponseHead(text.slice(0, end), method)
      if (head.status >= 200) return head
      if (head.status === 101) throw new ProtocolError('unexpected switch of protocols')
      skipped += end + 4
      text = ''
    }
    if (skipped + text.length >= headLimit) throw new ProtocolError('the head of the answer is too long')
    if (performance.now() - began > headersMs) throw new IdleTimeoutError(headersMs, 'no whole answer')
  }
}

/** `finish(whole)` is called exactly once: with true when the body was read to its end. */
function responseBody(
  connection: Connection,
  { framing }: ResponseHead,
  request: HttpRequest,
  finish: (whole: boolean) => void,
): HttpResponseBody {
  if (framing.kind === 'none') return { async *[Symbol.asyncIterator]() {}, discard: async () => {} }
  const iterate = async function* (idleMs = request.idleMs) {
    let whole = false
    try {
      yield* bodyChunks(connection, framing, idleMs)
      whole = framing.kind !== 'close'
    } catch (error) {
      request.signal?.throwIfAborted()
      throw error
    } finally {
      finish(whole)
    }
  }
  return {
    [Symbol.asyncIterator]: () => iterate(),
    discard: async () => {
      const began = performance.now()
      let left = discardLimit
      try {
        for await (const chunk of iterate(Math.min(discardMs, request.idleMs))) {
          left -= chunk.length
          if (left < 0 || performance.now() - began > discardMs) break
        }
      } catch {
        // The connection is gone, which is all that was wanted.
      }
    },
  }
}
