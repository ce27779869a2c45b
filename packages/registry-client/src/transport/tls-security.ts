/**
 * Whom the connections to one origin trust, and what they show of themselves.
 */
import { type ConnectionOptions, createSecureContext, type SecureContext } from 'node:tls'
import type { Trust } from './trust.ts'

/**
 * TLS settings of an origin. Node's own authorities come first, because most registries need no others and reading those
 * of the system takes a tenth of a second; who meets a certificate that they have not signed calls {@link widen}.
 */
export class TlsSecurity {
  readonly #tls: ConnectionOptions
  readonly #trust: Trust
  #wide: boolean
  #context: Promise<SecureContext> | undefined

  /** @param tls its `ca` are trusted beside all others, not in their place */
  constructor(tls: ConnectionOptions | undefined, trust: Trust) {
    this.#tls = tls ?? {}
    this.#trust = trust
    this.#wide = this.#tls.ca !== undefined || trust.named
  }

  /** Trusts the authorities of the system as well. @returns false when they were trusted, or nobody is asked, before */
  widen(): boolean {
    if (this.#wide || this.#tls.rejectUnauthorized === false) return false
    this.#wide = true
    return true
  }

  /** What of the named authorities could not be read, in words, once it has been tried. */
  get unread(): readonly string[] {
    return this.#trust.unread
  }

  /** What to connect with. */
  async options(): Promise<ConnectionOptions> {
    if (!this.#wide) return this.#tls
    this.#context ??= this.#build()
    const { ca: _, cert: _cert, key: _key, ...rest } = this.#tls
    return { ...rest, secureContext: await this.#context }
  }

  /** Made once: it takes hundreds of certificates, which would be parsed for every connection. */
  async #build(): Promise<SecureContext> {
    const { ca = [], cert, key } = this.#tls
    const own = Array.isArray(ca) ? ca : [ca]
    return createSecureContext({
      ca: [...(await this.#trust.certificates()), ...own],
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
    })
  }
}
