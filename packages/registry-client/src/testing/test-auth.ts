/**
 * Authorization of the in-memory registry: Basic, or Bearer with a token server of its own at `/token`.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { coversScopes, mergeScopes } from '../auth/scope.ts'

/** Passwords by user name. */
export type TestUsers = Readonly<Record<string, string>>

/** What the registry wants to see. */
export type TestAuth =
  | { readonly kind: 'basic'; readonly users: TestUsers }
  | {
      readonly kind: 'bearer'
      /** Without users, everyone gets tokens. */
      readonly users?: TestUsers
      /** Life of tokens; default 300. */
      readonly tokenSeconds?: number
      /** The clock that they live by; default `Date.now`. */
      readonly now?: () => number
      /** Where the challenge sends clients; default this registry's `/token`. */
      readonly realm?: string
      /** Refresh tokens that are accepted, by user. */
      readonly refreshTokens?: TestUsers
      /** Leaves the POST form out, as older servers do. */
      readonly withoutOauth?: boolean
      /** Names of the fields in the answer. */
      readonly answer?: (token: string, seconds: number) => unknown
    }

export interface TokenAnswer {
  readonly status: number
  readonly body: unknown
}

/** Decides on requests and hands out tokens. */
export class TestAuthorizer {
  readonly auth: TestAuth
  readonly #tokens = new Map<string, { scopes: readonly string[]; until: number }>()

  constructor(auth: TestAuth) {
    this.auth = auth
  }

  /** The WWW-Authenticate header of a refusal; undefined when the request may pass. */
  check(request: IncomingMessage, realm: string, scope: string | undefined): string | undefined {
    const sent = request.headers.authorization ?? ''
    if (this.auth.kind === 'basic') return this.#user(sent) === undefined ? 'Basic realm="test"' : undefined
    const token = this.#tokens.get(sent.replace(/^Bearer /, ''))
    const challenge = `Bearer realm="${this.auth.realm ?? realm}",service="test"${scope === undefined ? '' : `,scope="${scope}"`}`
    if (token === undefined || token.until < this.#now())
      return sent === '' ? challenge : `${challenge},error="invalid_token"`
    if (scope !== undefined && !coversScopes(token.scopes, mergeScopes([scope])))
      return `${challenge},error="insufficient_scope"`
    return undefined
  }

  /** Answers a request to `/token`. */
  token(request: IncomingMessage, url: URL, body: Buffer): TokenAnswer {
    const { auth } = this
    if (auth.kind !== 'bearer') return { status: 404, body: {} }
    if (request.method === 'POST') {
      const form = new URLSearchParams(body.toString())
      if (auth.withoutOauth === true) return { status: 405, body: {} }
      const known = Object.values(auth.refreshTokens ?? {}).includes(form.get('refresh_token') ?? '')
      return known ? this.#issue((form.get('scope') ?? '').split(' ')) : { status: 401, body: {} }
    }
    const sent = request.headers.authorization ?? ''
    if ((auth.users !== undefined || sent !== '') && this.#user(sent) === undefined) return { status: 401, body: {} }
    return this.#issue(url.searchParams.getAll('scope'))
  }

  #issue(scopes: readonly string[]): TokenAnswer {
    const { auth } = this
    const token = randomBytes(16).toString('hex')
    const seconds = auth.kind === 'bearer' ? (auth.tokenSeconds ?? 300) : 0
    this.#tokens.set(token, { scopes: mergeScopes(scopes), until: this.#now() + seconds * 1000 })
    const answer = auth.kind === 'bearer' ? auth.answer : undefined
    return { status: 200, body: answer?.(token, seconds) ?? { token, expires_in: seconds } }
  }

  #now(): number {
    return this.auth.kind === 'bearer' ? (this.auth.now?.() ?? Date.now()) : 0
  }

  #user(header: string): string | undefined {
    const decoded = Buffer.from(header.replace(/^Basic /, ''), 'base64').toString()
    const colon = decoded.indexOf(':')
    const name = decoded.slice(0, colon)
    const users = new Map(Object.entries(this.auth.users ?? {}))
    return header.startsWith('Basic ') && colon > 0 && users.get(name) === decoded.slice(colon + 1) ? name : undefined
  }
}
