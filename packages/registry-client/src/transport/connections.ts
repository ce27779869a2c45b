/**
 * The connections of a client: one pool per origin, TLS settings and proxy.
 */
import type { ConnectionOptions } from 'node:tls'
import { registryErrors } from '../model/errors.ts'
import type { HttpTransport } from './http.ts'
import { ProxyTransport } from './proxy-transport.ts'
import { publicLookup } from './public-lookup.ts'
import { SocketTransport } from './socket-transport.ts'
import { TlsSecurity } from './tls-security.ts'
import type { Trust } from './trust.ts'

export interface ConnectionsOptions {
  readonly connectMs: number
  /** The proxy for a URL, undefined for none. */
  readonly proxyFor: (url: URL) => URL | undefined
  readonly trust: Trust
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

  /**
   * The pool for a URL. Chunks of its answers are transient.
   *
   * @param publicOnly connects to addresses of the public internet only; a proxy decides that for itself
   */
  transport(url: URL, tls: ConnectionOptions | undefined, publicOnly = false): HttpTransport {
    if (this.#closed) throw registryErrors.closed([url.host])
    const proxy = this.#options.proxyFor(url)
    const key = `${this.#tlsId(tls)} ${publicOnly} ${proxy?.href ?? ''} ${url.origin}`
    const known = this.#transports.get(key)
    if (known !== undefined) return known
    const { connectMs, trust } = this.#options
    const security = new TlsSecurity(tls, trust)
    const made =
      proxy === undefined
        ? new SocketTransport(url, { connectMs, security, ...(publicOnly && { lookup: publicLookup }) })
        : new ProxyTransport(url, { connectMs, security, proxy })
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
