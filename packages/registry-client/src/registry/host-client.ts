/**
 * Requests to one server of a registry: authorized, redirected, repeated, and turned into typed errors.
 */
import type { ConnectionOptions } from 'node:tls'
import { Authorizer } from '../auth/authorizer.ts'
import type { Endpoint } from '../hosts/endpoint.ts'
import { registryErrors } from '../model/errors.ts'
import { parseWarnings, redactUrl } from '../transport/events.ts'
import { type HttpRequestBody, type HttpResponse, header } from '../transport/http.ts'
import { networkError } from '../transport/network-error.ts'
import { isRedirect, redirectLimit, resolveLocation } from '../transport/redirect.ts'
import {
  backoff,
  HostGate,
  isClosed,
  isNetworkError,
  isTimeout,
  isTransientError,
  isTransientStatus,
  networkCode,
  pause,
  retryAfter,
  silenceLimit,
} from '../transport/retry.ts'
import { speaksTls } from '../transport/tls-error.ts'
import type { HostEnvironment } from './environment.ts'
import { responseError } from './response-error.ts'
import { fetchToken } from './token-fetch.ts'

/** One request in terms of the distribution-spec. */
export interface RegistryCall {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Path below `/v2/`, or a URL that the registry gave (an upload location, a next page). */
  readonly path: string | URL
  readonly query?: readonly (readonly [string, string])[]
  readonly headers?: Readonly<Record<string, string>>
  /** Bytes, or a function that opens them anew for every time the request is sent. */
  readonly body?: Uint8Array | (() => AsyncIterable<Uint8Array>)
  readonly repository: string
  readonly scopes: readonly string[]
  /** Statuses to return; every other one becomes an error. */
  readonly expect: readonly number[]
  /** Names what is asked for in errors. */
  readonly what: string
  readonly signal?: AbortSignal | undefined
  /** How often to send it at most; default as configured. */
  readonly attempts?: number
  /** Milliseconds to wait for the answer; default `idleMs`. */
  readonly headersMs?: number
}

/** An answer with the URL that the registry itself was asked at, which relative locations are resolved against. */
export interface RegistryAnswer extends HttpResponse {
  readonly url: URL
}

interface Hop extends RegistryAnswer {
  /** true when the answer came from another origin than the registry. */
  readonly foreign: boolean
}

/** Statuses of an expired or wrong presigned URL: the registry will give a new one. */
const staleStatus = new Set([400, 401, 403, 404, 410])

/** Requests to mirrors are sent at most so often: there is another server. */
const mirrorAttempts = 2
/** How long a mirror that could not be reached is left alone, in milliseconds. */
const downMs = 30_000

/** One server. Keeps what it learns about it: scheme, authorization, when to come back. */
export class HostClient {
  readonly endpoint: Endpoint
  readonly #env: HostEnvironment
  readonly #gate: HostGate
  readonly #auth: Authorizer
  readonly #warned = new Set<string>()
  #base: URL
  #schemeSettled: boolean
  #downUntil = 0

  constructor(endpoint: Endpoint, env: HostEnvironment) {
    this.endpoint = endpoint
    this.#env = env
    this.#base = endpoint.base
    this.#schemeSettled = endpoint.otherScheme === undefined
    this.#gate = new HostGate(env.now)
    this.#auth = new Authorizer({
      registry: () => this.#base,
      credentials: async (repository, signal) => env.credentials({ registry: endpoint.host, repository, signal }),
      fetch: (request, signal) => fetchToken(env, (url) => this.#tlsFor(url), request, signal),
      now: env.now,
      documentMs: env.timeouts.documentMs,
      onEvent: env.onEvent,
    })
  }

  /** Sends a request until it is answered as expected or out of attempts. @throws RegistryError */
  async send(call: RegistryCall): Promise<RegistryAnswer> {
    const { retry, now, onEvent } = this.#env
    const attempts = call.attempts ?? (this.endpoint.mirror ? Math.min(retry.attempts, mirrorAttempts) : retry.attempts)
    let silences = 0
    for (let attempt = 1; ; attempt++) {
      await this.#gate.pass(call.signal)
      let delayMs = backoff(attempt, retry, this.#env.random)
      let reason: string
      try {
        const answer = await this.#authorized(call, attempt)
        if (call.expect.includes(answer.status) && !(answer.foreign && answer.status >= 400)) return answer
        const mayPass = isTransientStatus(answer.status) || (answer.foreign && staleStatus.has(answer.status))
        if (!mayPass || attempt >= attempts) throw await this.#refusal(answer, call, attempt)
        const wait = retryAfter(answer.headers, now())
        if (wait !== undefined) {
          delayMs = Math.min(wait, retry.maxRetryAfterMs)
          this.#gate.close(delayMs)
        }
        reason = `status ${answer.status}`
        await answer.body.discard()
      } catch (error) {
        call.signal?.throwIfAborted()
        if (!isNetworkError(error)) throw error
        if (isTimeout(error)) silences++
        if (attempt >= attempts || silences >= silenceLimit || !isTransientError(error)) {
          this.#downUntil = now() + downMs
          throw networkError(error, call.what, attempt, this.#env.timeouts.idleMs)
        }
        reason = error instanceof Error ? error.message : String(error)
      }
      onEvent({
        type: 'retry',
        method: call.method,
        url: redactUrl(this.#url(call)),
        attempt: attempt + 1,
        delayMs,
        reason,
      })
      await pause(delayMs, call.signal)
    }
  }

  #refusal(answer: HttpResponse, { what }: RegistryCall, attempt: number) {
    return responseError(answer, what, attempt, this.#env.now(), this.#env.timeouts.documentMs)
  }

  /** Runs an operation that sends a call and reads its answer, again when the connection breaks while reading. */
  async receive<T>({ what, signal }: Pick<RegistryCall, 'what' | 'signal'>, operation: () => Promise<T>): Promise<T> {
    const { retry, random, timeouts } = this.#env
    let silences = 0
    for (let attempt = 1; ; attempt++) {
      try {
        return await operation()
      } catch (error) {
        signal?.throwIfAborted()
        if (!isNetworkError(error)) throw error
        if (isTimeout(error)) silences++
        if (attempt >= retry.attempts || silences >= silenceLimit || !isTransientError(error)) {
          throw networkError(error, what, attempt, timeouts.idleMs)
        }
      }
      await pause(backoff(attempt, retry, random), signal)
    }
  }

  /** true for a mirror that could not be reached lately: asking it again would only cost time. */
  get isDown(): boolean {
    return this.endpoint.mirror && this.#downUntil > this.#env.now()
  }

  /** What all servers of the client share. */
  get env(): HostEnvironment {
    return this.#env
  }

  /** The absolute URL of a call. */
  #url(call: RegistryCall): URL {
    if (call.path instanceof URL) return call.path
    const url = new URL(this.#base.href + call.path)
    for (const [name, value] of call.query ?? []) url.searchParams.append(name, value)
    const { namespace } = this.endpoint
    if (namespace !== undefined) url.searchParams.set('ns', namespace)
    return url
  }

  async #authorized(call: RegistryCall, attempt: number): Promise<Hop> {
    let scopes = call.scopes
    const leave = await this.#auth.enter(call.signal)
    try {
      for (let round = 1; ; round++) {
        const subject = { repository: call.repository, scopes, signal: call.signal }
        const authorization = await this.#auth.header(subject)
        const answer = await this.#settled(call, authorization, attempt)
        this.#auth.contacted()
        if (answer.status !== 401 || answer.foreign || round > 2) return answer
        const more = await this.#auth.challenged(answer.headers, subject, authorization)
        if (more === undefined) return answer
        await answer.body.discard()
        scopes = more
      }
    } finally {
      leave()
    }
  }

  /** The first answer tells whether the server speaks the scheme that was guessed; if not, the other one is tried. */
  async #settled(call: RegistryCall, authorization: string | undefined, attempt: number): Promise<Hop> {
    if (this.#schemeSettled) return this.#follow(call, authorization, attempt)
    const guess = this.#base
    const other = new URL(guess)
    other.protocol = this.endpoint.otherScheme!
    let answer: Hop | undefined
    let failure: unknown
    try {
      answer = await this.#unlessReset(() => this.#follow(call, authorization, attempt))
      this.#schemeSettled = !isTlsPort(answer, guess)
    } catch (error) {
      if (!speaksOther(error, guess)) throw error
      failure = error
    }
    if (answer !== undefined && this.#schemeSettled) return answer
    this.#base = other
    try {
      const second = await this.#follow(call, authorization, attempt)
      if (isTlsPort(second, other)) throw failure
      this.#schemeSettled = true
      await answer?.body.discard()
      return second
    } catch (error) {
      if (other.protocol === 'https:' ? speaksTls(error) : !isNetworkError(error)) {
        // It speaks the other scheme, just not with us: a certificate that is not trusted, for instance.
        await answer?.body.discard()
        throw error
      }
      call.signal?.throwIfAborted()
      this.#base = guess
      if (answer === undefined) throw failure
      return answer
    }
  }

  /** One broken connection tells nothing of the scheme: the same once more. */
  async #unlessReset<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request()
    } catch (error) {
      if (!isClosed(error) && networkCode(error) !== 'UND_ERR_SOCKET') throw error
      return request()
    }
  }

  async #follow(call: RegistryCall, authorization: string | undefined, attempt: number): Promise<Hop> {
    const asked = this.#url(call)
    let url = asked
    for (let hops = 0; ; hops++) {
      const own = url.origin === this.#base.origin
      const answer = await this.#once(call, url, own ? authorization : undefined, attempt)
      if (!isRedirect(answer.status)) return { ...answer, url: asked, foreign: !own && url.origin !== asked.origin }
      await answer.body.discard()
      const { what } = call
      if (hops >= redirectLimit) throw registryErrors.redirectRefused([what, `more than ${redirectLimit} in a row`])
      const next = resolveLocation(header(answer.headers, 'location'), url, what)
      const reads = call.method === 'GET' || call.method === 'HEAD'
      if (!reads && (next.origin !== url.origin || answer.status < 307)) {
        throw registryErrors.redirectRefused([what, `a ${call.method} is not sent on to ${next.host}`])
      }
      url = next
    }
  }

  async #once(call: RegistryCall, url: URL, authorization: string | undefined, attempt: number): Promise<HttpResponse> {
    const { connections, timeouts, userAgent, now, onEvent } = this.#env
    const own = url.origin === this.#base.origin
    const headers: Record<string, string> = {
      'user-agent': userAgent,
      'accept-encoding': 'identity',
      ...(own ? this.endpoint.headers : {}),
      ...call.headers,
      ...(authorization !== undefined && { authorization }),
    }
    const body: HttpRequestBody | undefined = typeof call.body === 'function' ? call.body() : call.body
    if (body instanceof Uint8Array) headers['content-length'] = String(body.length)
    else if (body === undefined && call.method !== 'GET' && call.method !== 'HEAD') headers['content-length'] = '0'
    const started = now()
    const transport = connections.transport(url, this.#tlsFor(url))
    const answer = await transport.send({
      method: call.method,
      url,
      headers,
      body,
      headersMs: call.headersMs ?? timeouts.idleMs,
      idleMs: timeouts.idleMs,
      signal: call.signal,
    })
    onEvent({
      type: 'request',
      method: call.method,
      url: redactUrl(url),
      status: answer.status,
      durationMs: now() - started,
      attempt,
    })
    if (own) this.#warn(answer)
    return answer
  }

  /** A registry's own CA is trusted for where it redirects to, too; its client certificate stays at home. */
  #tlsFor(url: URL): ConnectionOptions | undefined {
    const { tls } = this.endpoint
    if (tls === undefined || url.origin === this.#base.origin) return tls
    this.#foreignTls ??= {
      ...(tls.ca !== undefined && { ca: tls.ca }),
      ...(tls.rejectUnauthorized === false && { rejectUnauthorized: false }),
    }
    return this.#foreignTls
  }
  #foreignTls: ConnectionOptions | undefined

  #warn(answer: HttpResponse): void {
    for (const message of parseWarnings(answer.headers.get('warning') ?? [])) {
      if (this.#warned.has(message) || this.#warned.size > 100) continue
      this.#warned.add(message)
      this.#env.onEvent({ type: 'warning', host: this.endpoint.host, message })
    }
  }
}

/** How it looks when a server speaks TLS where plain http was tried, and the other way round. */
const notPlainCodes = new Set([
  ...['ECONNRESET', 'EPROTO', 'UND_ERR_SOCKET', 'HPE_INVALID_CONSTANT', 'HPE_INVALID_VERSION', 'HPE_CR_EXPECTED'],
])
const notTlsCodes = new Set([
  ...['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'ERR_SSL_HTTP_REQUEST', 'ECONNREFUSED'],
  'ECONNRESET',
])

/** true when an error can come from speaking the wrong scheme to a server. */
function speaksOther(error: unknown, base: URL): boolean {
  const codes = base.protocol === 'http:' ? notPlainCodes : notTlsCodes
  return isNetworkError(error) && codes.has(networkCode(error) ?? '')
}

/** Servers answer plain http on a TLS port with 400, and do not say that they are a registry. */
function isTlsPort({ status, headers }: HttpResponse, base: URL): boolean {
  return base.protocol === 'http:' && status === 400 && !headers.has('docker-distribution-api-version')
}
