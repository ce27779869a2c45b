/**
 * HTTP through a proxy, by undici: loaded only when there is one, for it costs start-up time and memory.
 */
import { Readable } from 'node:stream'
import type { ProxyAgent } from 'undici'
import { type HttpHeaders, type HttpRequest, type HttpResponse, type HttpTransport, IdleTimeoutError } from './http.ts'
import type { TlsSecurity } from './tls-security.ts'

export interface ProxyTransportOptions {
  readonly connectMs: number
  /** Whom to trust: of the servers behind the proxy, and as the proxy itself. */
  readonly security: TlsSecurity
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
    const { url, body, headersMs, signal } = request
    const agent = await this.#agent
    // undici's own limit begins anew with every 1xx answer.
    const limit = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const sent = () => {
      timer = setTimeout(() => limit.abort(new IdleTimeoutError(headersMs, 'no whole answer')), headersMs)
    }
    const streamed = body !== undefined && !(body instanceof Uint8Array)
    if (!streamed) sent()
    const response = await agent
      .request({
        origin: this.#origin,
        path: url.pathname + url.search,
        method: request.method,
        headers: request.headers as Record<string, string>,
        body: streamed ? Readable.from(copies(body, sent), { objectMode: false }) : (body ?? null),
        signal: signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]),
        headersTimeout: headersMs,
        bodyTimeout: request.idleMs,
      })
      .finally(() => clearTimeout(timer))
    const source = response.body
    return {
      status: response.statusCode,
      headers: toMap(response.headers),
      body: {
        [Symbol.asyncIterator]: () => source[Symbol.asyncIterator]() as AsyncIterator<Buffer>,
        discard: async () => {
          await source.dump({ limit: 64 << 10, signal: AbortSignal.timeout(1000) }).catch(() => {})
        },
      },
    }
  }

  async close(): Promise<void> {
    await (await this.#agent)?.destroy()
  }

  async #load(): Promise<ProxyAgent> {
    const { ProxyAgent } = await import('undici')
    const { connectMs, proxy, security } = this.#options
    // Proxies that sign for the servers behind them are in the system's store: no use in trying without.
    security.widen()
    const tls = await security.options()
    const { secureContext } = tls
    const kept = { allowH2: false, keepAliveTimeout: 10_000, keepAliveMaxTimeout: 60_000 }
    // Node's options of TLS and undici's differ in whether an absent one may be written as undefined.
    const requestTls = { ...tls, timeout: connectMs } as NonNullable<ProxyAgent.Options['requestTls']>
    return new ProxyAgent({
      uri: proxy.href,
      ...kept,
      connect: { timeout: connectMs },
      proxyTls: { secureContext },
      requestTls,
    })
  }
}

/** Streams read ahead, and chunks of ours may be reused once the next one is asked for. */
async function* copies(chunks: AsyncIterable<Uint8Array>, done: () => void): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk)
  done()
}

function toMap(headers: Record<string, string | string[] | undefined>): HttpHeaders {
  const map = new Map<string, readonly string[]>()
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) map.set(name.toLowerCase(), typeof value === 'string' ? [value] : value)
  }
  return map
}
