/**
 * HTTP by undici: everything small, and everything that goes through a proxy.
 */
import { Readable } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import { type Dispatcher, Pool, ProxyAgent } from 'undici'
import type { HttpHeaders, HttpRequest, HttpResponse, HttpTransport } from './http.ts'

export interface UndiciTransportOptions {
  readonly connectMs: number
  readonly tls?: ConnectionOptions | undefined
  /** `http://[user:password@]host:port` of a proxy to go through. */
  readonly proxy?: URL | undefined
}

/** Requests to one origin over a pool of kept connections. */
export class UndiciTransport implements HttpTransport {
  readonly #dispatcher: Dispatcher
  readonly #origin: string

  constructor(origin: URL, options: UndiciTransportOptions) {
    this.#origin = origin.origin
    const common = { allowH2: false, connections: 64, keepAliveTimeout: 10_000, keepAliveMaxTimeout: 60_000 }
    const tls = { ...options.tls, timeout: options.connectMs }
    this.#dispatcher =
      options.proxy === undefined
        ? new Pool(origin.origin, { ...common, connect: tls })
        : new ProxyAgent({ uri: options.proxy.href, ...common, connect: tls, ...proxyTls(options.tls) })
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    const { url, body } = request
    const response = await this.#dispatcher.request({
      origin: this.#origin,
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
    await this.#dispatcher.destroy()
  }
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
