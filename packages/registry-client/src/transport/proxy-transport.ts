/**
 * HTTP through a proxy, by undici: loaded only when there is one, for it costs start-up time and memory.
 */
import { Readable } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import type { ProxyAgent } from 'undici'
import type { HttpHeaders, HttpRequest, HttpResponse, HttpTransport } from './http.ts'

export interface ProxyTransportOptions {
  readonly connectMs: number
  /** TLS settings for the servers behind the proxy; the proxy itself is checked against the system's CAs. */
  readonly tls?: ConnectionOptions | undefined
  /** `http[s]://[user:password@]host:port` */
  readonly proxy: URL
}

/** Requests to one origin. Plain http is forwarded, https tunnelled. */
export class ProxyTransport implements HttpTransport {
  readonly #origin: string
  readonly #options: ProxyTransportOptions
  #agent: Promise<ProxyAgent> | undefined

  constructor(origin: URL, options: ProxyTransportOptions) {
    this.#origin = origin.origin
    this.#options = options
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    this.#agent ??= this.#load()
    const { url, body } = request
    const response = await (await this.#agent).request({
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
    await (await this.#agent)?.destroy()
  }

  async #load(): Promise<ProxyAgent> {
    const { ProxyAgent } = await import('undici')
    const { connectMs, proxy, tls } = this.#options
    const kept = { allowH2: false, keepAliveTimeout: 10_000, keepAliveMaxTimeout: 60_000 }
    // Node's options of TLS and undici's differ in whether an absent one may be written as undefined.
    const requestTls = { ...tls, timeout: connectMs } as NonNullable<ProxyAgent.Options['requestTls']>
    return new ProxyAgent({ uri: proxy.href, ...kept, connect: { timeout: connectMs }, requestTls })
  }
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
