/**
 * Bearer tokens (distribution's "Token Authentication Specification" and its OAuth2 form): fetched for a set of
 * scopes, cached, and renewed before they run out.
 */

import { type RegistryErrorDetails, registryErrors } from '../model/errors.ts'
import { anything, object, optional, parseDocument, SchemaProblem, text } from '../model/schema.ts'
import { type HttpResponse, readBody } from '../transport/http.ts'
import { basicHeader, type Credentials } from './credentials.ts'
import { checkRealm } from './realm.ts'
import { coversScopes, mergeScopes } from './scope.ts'

/** Sends a request to a token server; redirects within its origin are followed, errors of the network retried. */
export type TokenFetch = (
  request: { method: 'GET' | 'POST'; url: URL; headers: Record<string, string>; body?: Buffer },
  signal: AbortSignal | undefined,
) => Promise<HttpResponse>

export interface TokenSourceOptions {
  readonly registry: URL
  readonly realm: string
  readonly service: string | undefined
  readonly fetch: TokenFetch
  readonly now: () => number
  /** Milliseconds for a whole answer. */
  readonly documentMs: number
}

interface Token {
  readonly scopes: readonly string[]
  readonly value: string
  /** When it is to be replaced: at 80 % of its life. */
  readonly renewAt: number
}

const responseLimit = 1 << 20
/** What the specification says a token without expires_in lives. */
const defaultLifeSeconds = 60
/** How long a token is used that claims to live no time at all. */
const shortestLifeSeconds = 1

/** The tokens of one realm and service for one user. */
export class TokenSource {
  readonly #options: TokenSourceOptions
  readonly #credentials: Credentials | undefined
  readonly #tokens: Token[] = []
  readonly #pending = new Map<string, Promise<Token>>()
  #refreshToken: string | undefined

  constructor(options: TokenSourceOptions, credentials: Credentials | undefined) {
    this.#options = options
    this.#credentials = credentials
    this.#refreshToken = credentials?.identityToken
  }

  /** true when it serves this challenge. */
  serves(realm: string, service: string | undefined): boolean {
    return this.#options.realm === realm && this.#options.service === service
  }

  /** A token for the scopes; concurrent calls for the same ones share one request. */
  async get(scopes: readonly string[], signal: AbortSignal | undefined): Promise<string> {
    const wanted = mergeScopes(scopes)
    const now = this.#options.now()
    const held = this.#tokens.find((token) => token.renewAt > now && coversScopes(token.scopes, wanted))
    if (held !== undefined) return held.value
    const key = wanted.join(' ')
    for (;;) {
      const running = this.#pending.get(key)
      if (running === undefined) break
      try {
        return (await running).value
      } catch {
        // The call that started it may have been aborted; that must not fail this one.
        signal?.throwIfAborted()
        if (this.#pending.get(key) === running) this.#pending.delete(key)
      }
    }
    const fetching = this.#fetch(wanted, signal)
    this.#pending.set(key, fetching)
    try {
      const token = await fetching
      this.#keep(token)
      return token.value
    } finally {
      if (this.#pending.get(key) === fetching) this.#pending.delete(key)
    }
  }

  /** Forgets a token that the registry did not accept. */
  invalidate(value: string): void {
    const at = this.#tokens.findIndex((token) => token.value === value)
    if (at >= 0) this.#tokens.splice(at, 1)
  }

  #keep(token: Token): void {
    const now = this.#options.now()
    const stay = this.#tokens.filter((other) => other.renewAt > now && !coversScopes(token.scopes, other.scopes))
    this.#tokens.splice(0, this.#tokens.length, token, ...stay.slice(0, 99))
  }

  async #fetch(scopes: readonly string[], signal: AbortSignal | undefined): Promise<Token> {
    const credentials = this.#credentials
    const known = credentials !== undefined && (credentials.username !== undefined || this.#refreshToken !== undefined)
    const realm = checkRealm(this.#options.realm, this.#options.registry, known)
    if (this.#refreshToken !== undefined) {
      const response = await this.#post(realm, scopes, this.#refreshToken, signal)
      if (response.status < 400) return this.#parse(response, realm, scopes)
      // Servers that know only the older GET form answer with one of these.
      if (![400, 401, 404, 405].includes(response.status)) throw await this.#refused(response, realm)
      await response.body.discard()
    }
    const url = new URL(realm)
    if (this.#options.service !== undefined) url.searchParams.set('service', this.#options.service)
    for (const scope of scopes) url.searchParams.append('scope', scope)
    const authorization = credentials === undefined ? undefined : basicHeader(fallbackLogin(credentials))
    if (credentials?.username !== undefined) url.searchParams.set('account', credentials.username)
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
    const response = await this.#options.fetch({ method: 'GET', url, headers }, signal)
    if (response.status >= 400) throw await this.#refused(response, realm)
    return this.#parse(response, realm, scopes)
  }

  #post(realm: URL, scopes: readonly string[], refreshToken: string, signal: AbortSignal | undefined) {
    const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'tsbuild', refresh_token: refreshToken })
    if (this.#options.service !== undefined) form.set('service', this.#options.service)
    if (scopes.length > 0) form.set('scope', scopes.join(' '))
    const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }
    return this.#options.fetch({ method: 'POST', url: realm, headers, body: Buffer.from(form.toString()) }, signal)
  }

  async #parse(response: HttpResponse, realm: URL, scopes: readonly string[]): Promise<Token> {
    const what = `token server ${realm.host}`
    const body = await readBody(response.body, responseLimit, this.#options.documentMs)
    if (body === undefined) throw registryErrors.badResponse([what, 'its answer is too long'])
    let answer: TokenAnswer
    try {
      answer = parseDocument(body, answerSchema)
    } catch (error) {
      if (!(error instanceof SchemaProblem)) throw error
      // Not as the cause: nothing of the answer belongs into a message.
      throw registryErrors.badResponse([what, `its answer cannot be used: ${error.message}`])
    }
    const value = [answer.token, answer.access_token].find(
      (token) => token !== undefined && /^[\x21-\x7e]+$/.test(token),
    )
    if (value === undefined) throw registryErrors.badResponse([what, 'its answer has no token'])
    if (answer.refresh_token !== undefined) this.#refreshToken = answer.refresh_token
    const { expires_in: given } = answer
    // Some send it as a text.
    const life = typeof given === 'number' || typeof given === 'string' ? Number(given) : Number.NaN
    const seconds = Number.isFinite(life) && life > 0 ? Math.max(life, shortestLifeSeconds) : defaultLifeSeconds
    return { scopes, value, renewAt: this.#options.now() + seconds * 800 }
  }

  async #refused(response: HttpResponse, realm: URL): Promise<Error> {
    const { status, body } = response
    const details: RegistryErrorDetails = { status }
    const bytes = await readBody(body, responseLimit, this.#options.documentMs).catch(() => undefined)
    const text = bytes?.toString().slice(0, 300) ?? ''
    const why = `token server ${realm.host} answered ${status}${text && `: ${text.replace(/\s+/g, ' ')}`}`
    if (status === 401 || status === 403) return registryErrors.unauthorized([realm.host, why], details)
    return registryErrors.unavailable([realm.host, status, why], details)
  }
}

interface TokenAnswer {
  readonly token?: string
  readonly access_token?: string
  readonly refresh_token?: string
  readonly expires_in?: unknown
}

const answerSchema = object<TokenAnswer>({
  token: optional(text),
  access_token: optional(text),
  refresh_token: optional(text),
  expires_in: anything,
})

/** Some servers take an identity token as the password of the user `<token>`. */
function fallbackLogin(credentials: Credentials): Credentials {
  if (credentials.password !== undefined || credentials.identityToken === undefined) return credentials
  return { username: credentials.username ?? '<token>', password: credentials.identityToken }
}
