/**
 * HTTP by undici: everything small, and everything that goes through a proxy.
 */
import { Readable } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import type { Dispatcher } from 'undici'
import type { HttpHeaders, HttpRequest, HttpResponse, HttpTransport } from './http.ts'

export interface UndiciTransportOptions {
  readonly connectMs: number
  readonly tls?: ConnectionOptions | undefined
  /** `http://[user:password@]host:port` of a proxy to go through. */
  readonly proxy?: URL | undefined
}

/** Requests to one origin over a pool of kept connections. */
export class UndiciTransport implements HttpTransport {
  readonly #url: URL
  readonly #options: UndiciTransportOptions
  #dispatcher: Promise<Dispatcher> | undefined

  constructor(origin: URL, options: UndiciTransportOptions) {
    this.#url = origin
    this.#options = options
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    const { url, body } = request
    this.#dispatcher ??= openDispatcher(this.#url, this.#options)
    const dispatcher = await this.#dispatcher
    const response = await dispatcher.request({
      origin: this.#url.origin,
      path: url.pathname + url.search,
      method: request.method,
      headers: request.headers as Record<string, string>,
      body:
        body === undefined || body instanceof Uint8Array
          ? (body ?? null)
          : Readable.from(copies(body), { objectMode: false }),
      signal: request.signal ?? null,
      headersTimeout: request.headersMs,
      bodyTimeout: request.idleMs,
    })
    const source = response.body
    return {
      status: response.statusCode,
      headers: toMap(response.headers),
      body: {
        [Symbol.asyncIterator]: () => source[Symbol.asyncIterator]() as AsyncIterator<Buffer>,
        discard: async () => {
          await source.dump({ limit: 64 << 10 }).catch(() => {})
        },
      },
    }
  }

  async close(): Promise<void> {
    await (await this.#dispatcher)?.destroy()
  }
}

/** undici is loaded with the first request: it takes longer to load than all the rest of this package. */
async function openDispatcher(origin: URL, { connectMs, tls, proxy }: UndiciTransportOptions): Promise<Dispatcher> {
  const { Pool, ProxyAgent } = await import('undici')
  const common = { allowH2: false, connections: 64, keepAliveTimeout: 10_000, keepAliveMaxTimeout: 60_000 }
  const connect = { ...tls, timeout: connectMs }
  return proxy === undefined
    ? new Pool(origin.origin, { ...common, connect })
    : new ProxyAgent({ uri: proxy.href, ...common, connect, ...proxyTls(tls) })
}

/** Certificates for the servers behind the proxy; the proxy itself is checked against the system's. */
function proxyTls(tls: ConnectionOptions | undefined) {
  return tls === undefined ? {} : { requestTls: tls }
}

/** Streams read ahead, and chunks of ours may be reused once the next one is asked for. */
async function* copies(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk)
}

function toMap(headers: Record<string, string | string[] | undefined>): HttpHeaders {
  const map = new Map<string, readonly string[]>()
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) map.set(name.toLowerCase(), typeof value === 'string' ? [value] : value)
  }
  return map
}
