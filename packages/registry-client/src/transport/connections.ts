/**
 * The connections of a client: per origin and TLS settings one pool for small requests and one for blobs.
 */
import type { ConnectionOptions } from 'node:tls'
import type { HttpTransport } from './http.ts'
import { SocketTransport } from './socket-transport.ts'
import { UndiciTransport } from './undici-transport.ts'

export interface ConnectionsOptions {
  readonly connectMs: number
  /** The proxy for a URL, undefined for none. */
  readonly proxyFor: (url: URL) => URL | undefined
}

/** Makes transports on demand and closes them all at once. */
export class Connections {
  readonly #options: ConnectionsOptions
  readonly #transports = new Map<string, HttpTransport>()
  readonly #tlsIds = new Map<ConnectionOptions, number>()
  #closed = false

  constructor(options: ConnectionsOptions) {
    this.#options = options
  }

  /** @param bulk for requests whose body or answer may be big; their chunks are transient */
  transport(url: URL, tls: ConnectionOptions | undefined, bulk: boolean): HttpTransport {
    if (this.#closed) throw new Error('the client is closed')
    const proxy = this.#options.proxyFor(url)
    const raw = bulk && proxy === undefined
    const key = `${raw ? 'raw' : 'undici'} ${this.#tlsId(tls)} ${proxy?.href ?? ''} ${url.origin}`
    const known = this.#transports.get(key)
    if (known !== undefined) return known
    const { connectMs } = this.#options
    const made = raw
      ? new SocketTransport(url, { connectMs, tls })
      : new UndiciTransport(url, { connectMs, tls, proxy })
    this.#transports.set(key, made)
    return made
  }

  async close(): Promise<void> {
    this.#closed = true
    const transports = [...this.#transports.values()]
    this.#transports.clear()
    await Promise.all(transports.map((transport) => transport.close()))
  }

  #tlsId(tls: ConnectionOptions | undefined): number {
    if (tls === undefined) return 0
    const id = this.#tlsIds.get(tls) ?? this.#tlsIds.size + 1
    this.#tlsIds.set(tls, id)
    return id
  }
}
