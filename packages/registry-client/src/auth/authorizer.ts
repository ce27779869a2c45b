/**
 * Authorization at one server: learns from its challenges what it wants and keeps the answers.
 */

import type { RegistryEventListener } from '../transport/events.ts'
import { type HttpHeaders, header } from '../transport/http.ts'
import { parseChallenges } from './challenge.ts'
import { basicHeader, type Credentials } from './credentials.ts'
import { mergeScopes } from './scope.ts'
import { type TokenFetch, TokenSource } from './token.ts'

export interface AuthorizerOptions {
  /** The server: credentials go to this origin only. */
  readonly registry: () => URL
  readonly credentials: (repository: string, signal: AbortSignal | undefined) => Promise<Credentials | undefined>
  readonly fetch: TokenFetch
  readonly now: () => number
  /** Milliseconds for a whole answer of a token server. */
  readonly documentMs: number
  readonly onEvent: RegistryEventListener
}

/** What a request is for; a repository may have credentials of its own. */
export interface AuthSubject {
  readonly repository: string
  readonly scopes: readonly string[]
  readonly signal: AbortSignal | undefined
}

type Scheme =
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly realm: string; readonly service: string | undefined }

/** Bound of the memory that a client with very many repositories needs. */
const repositoriesKept = 1000

/** The authorization state of one server. Never sends anything to another one than its token realm. */
export class Authorizer {
  readonly #options: AuthorizerOptions
  readonly #credentials = new Map<string, Promise<Credentials | undefined>>()
  readonly #sources: { readonly owner: string; readonly source: TokenSource }[] = []
  #scheme: Scheme | undefined
  #contacted = false
  #first: Promise<void> | undefined

  constructor(options: AuthorizerOptions) {
    this.#options = options
  }

  /**
   * Lets only one request go before it is known what the server wants, so that a burst does not earn a 401 each.
   *
   * @returns to be called when that request has its answer
   */
  async enter(signal: AbortSignal | undefined): Promise<() => void> {
    while (!this.#contacted && this.#first !== undefined) {
      await this.#first
      signal?.throwIfAborted()
    }
    if (this.#contacted) return () => {}
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#first = promise
    return () => {
      this.#first = undefined
      resolve()
    }
  }

  /** To be called when the server has answered anything at all. */
  contacted(): void {
    this.#contacted = true
  }

  /** The Authorization header for a request, undefined when none is known to be needed or possible. */
  async header(subject: AuthSubject): Promise<string | undefined> {
    const scheme = this.#scheme
    if (scheme === undefined) return undefined
    const credentials = await this.#lookup(subject)
    if (credentials?.registryToken !== undefined) return `Bearer ${credentials.registryToken}`
    if (scheme.kind === 'basic') return credentials === undefined ? undefined : basicHeader(credentials)
    const source = this.#source(scheme, credentials)
    return `Bearer ${await source.get(subject.scopes, subject.signal)}`
  }

  /**
   * Takes note of a 401.
   *
   * @param sent the Authorization header that was not good enough
   * @returns the scopes to try again with; undefined when there is nothing more to offer
   */
  async challenged(
    headers: HttpHeaders,
    subject: AuthSubject,
    sent: string | undefined,
  ): Promise<readonly string[] | undefined> {
    const challenges = parseChallenges(headers.get('www-authenticate') ?? [])
    const credentials = await this.#lookup(subject)
    const bearer = challenges.find(({ scheme, params }) => scheme === 'bearer' && params.get('realm'))
    if (bearer !== undefined) {
      const scheme: Scheme = {
        kind: 'bearer',
        realm: bearer.params.get('realm')!,
        service: bearer.params.get('service'),
      }
      this.#scheme = scheme
      if (sent?.startsWith('Bearer ')) {
        if (credentials?.registryToken !== undefined) return undefined
        this.#source(scheme, credentials).invalidate(sent.slice('Bearer '.length))
      }
      const scopes = mergeScopes([...subject.scopes, bearer.params.get('scope') ?? ''])
      this.#options.onEvent({ type: 'auth', host: this.#options.registry().host, scheme: 'bearer', scopes })
      return scopes
    }
    if (challenges.some(({ scheme }) => scheme === 'basic')) {
      this.#scheme = { kind: 'basic' }
      if (sent !== undefined || credentials?.username === undefined) return undefined
      this.#options.onEvent({ type: 'auth', host: this.#options.registry().host, scheme: 'basic', scopes: [] })
      return subject.scopes
    }
    return undefined
  }

  #lookup({ repository, signal }: AuthSubject): Promise<Credentials | undefined> {
    const known = this.#credentials.get(repository)
    if (known !== undefined) return known
    if (this.#credentials.size >= repositoriesKept) this.#credentials.clear()
    const lookup = this.#options.credentials(repository, signal)
    this.#credentials.set(repository, lookup)
    lookup.catch(() => this.#credentials.delete(repository))
    return lookup
  }

  #source(scheme: Scheme & { kind: 'bearer' }, credentials: Credentials | undefined): TokenSource {
    const owner = JSON.stringify(credentials ?? null)
    const found = this.#sources.find(
      (entry) => entry.owner === owner && entry.source.serves(scheme.realm, scheme.service),
    )
    if (found !== undefined) return found.source
    const { fetch, now, registry, documentMs } = this.#options
    const source = new TokenSource(
      { registry: registry(), realm: scheme.realm, service: scheme.service, fetch, now, documentMs },
      credentials,
    )
    if (this.#sources.length >= 100) this.#sources.shift()
    this.#sources.push({ owner, source })
    return source
  }
}

/** What a 401 or 403 says in its challenge, for messages. */
export function challengeError(headers: HttpHeaders): string {
  const [challenge] = parseChallenges(
    header(headers, 'www-authenticate') === undefined ? [] : headers.get('www-authenticate')!,
  )
  return challenge?.params.get('error') ?? ''
}
