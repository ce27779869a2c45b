/**
 * Requests to servers that are no registries: token servers, downloads, the URLs of foreign layers. Whom to trust, which
 * proxy to take, when to ask again and where redirects lead is decided here for all of them.
 */
import type { ConnectionOptions } from 'node:tls'
import { registryErrors } from '../model/errors.ts'
import type { Connections } from './connections.ts'
import { type RegistryEventListener, redactUrl } from './events.ts'
import { type HttpResponse, header } from './http.ts'
import { networkError } from './network-error.ts'
import { isRedirect, redirectLimit } from './redirect.ts'
import {
  backoff,
  isNetworkError,
  isTimeout,
  isTransientError,
  isTransientStatus,
  pause,
  type RetryOptions,
  retryAfter,
  silenceLimit,
} from './retry.ts'
import { steady } from './steady.ts'
import type { Timeouts } from './timeouts.ts'

/** What requests need of a client. */
export interface WebEnvironment {
  readonly connections: Connections
  readonly retry: RetryOptions
  readonly timeouts: Timeouts
  readonly userAgent: string
  readonly now: () => number
  readonly random: () => number
  readonly onEvent: RegistryEventListener
}

export interface WebRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: URL
  readonly body?: Buffer | undefined
  /** The headers for one URL on the way there, made for each try. Throws for one that is not to be asked. */
  readonly headers: (url: URL) => Readonly<Record<string, string>>
  /** Where a redirect leads; absent: it is an answer like others. */
  readonly redirect?: ((location: string | undefined, from: URL) => URL) | undefined
  readonly tls: ConnectionOptions | undefined | ((url: URL) => ConnectionOptions | undefined)
  /** Connects to addresses of the public internet only. */
  readonly publicOnly?: boolean | undefined
  /** How often to ask at most; default as configured. */
  readonly attempts?: number | undefined
  /** Begins the messages of errors. */
  readonly what: string
  readonly signal: AbortSignal | undefined
}

/**
 * Sends a request until it is answered by something that does not pass by itself, or out of attempts. Every status is
 * returned.
 *
 * @throws RegistryError NETWORK, TIMEOUT, REDIRECT_REFUSED
 */
export async function sendToWeb(env: WebEnvironment, request: WebRequest): Promise<HttpResponse> {
  const { retry, now, random, timeouts, onEvent } = env
  const { method, url, what, signal, attempts = retry.attempts } = request
  let silences = 0
  for (let attempt = 1; ; attempt++) {
    let delayMs = backoff(attempt, retry, random)
    let reason: string
    try {
      const answer = await follow(env, request, attempt)
      if (!isTransientStatus(answer.status) || attempt >= attempts) return answer
      delayMs = Math.min(retryAfter(answer.headers, now()) ?? delayMs, retry.maxRetryAfterMs)
      reason = `status ${answer.status}`
      await answer.body.discard()
    } catch (error) {
      signal?.throwIfAborted()
      if (!isNetworkError(error)) throw error
      if (isTimeout(error)) silences++
      if (attempt >= attempts || silences >= silenceLimit || !isTransientError(error))
        throw networkError(error, what, attempt, timeouts.idleMs)
      reason = error instanceof Error ? error.message : String(error)
    }
    onEvent({ type: 'retry', method, url: redactUrl(url), attempt: attempt + 1, delayMs, reason })
    await pause(delayMs, signal)
  }
}

async function follow(env: WebEnvironment, request: WebRequest, attempt: number): Promise<HttpResponse> {
  const { connections, timeouts, userAgent, now, onEvent } = env
  const { method, body, tls, publicOnly, redirect, what, signal } = request
  let { url } = request
  for (let hops = 0; ; hops++) {
    const headers = { 'user-agent': userAgent, ...request.headers(url) }
    const started = now()
    const transport = connections.transport(url, typeof tls === 'function' ? tls(url) : tls, publicOnly)
    const times = { headersMs: timeouts.idleMs, idleMs: timeouts.idleMs }
    const answer = await transport.send({ method, url, headers, body, ...times, signal })
    const { status } = answer
    onEvent({ type: 'request', method, url: redactUrl(url), status, durationMs: now() - started, attempt })
    if (!isRedirect(status) || redirect === undefined) return answer
    await answer.body.discard()
    if (hops >= redirectLimit) throw registryErrors.redirectRefused([what, `stopped after ${redirectLimit} redirects`])
    url = redirect(header(answer.headers, 'location'), url)
  }
}

/** The body of an answer. It is not asked for again where it breaks off. @throws RegistryError NETWORK, TIMEOUT */
export async function* webBody(
  { timeouts }: WebEnvironment,
  { body }: HttpResponse,
  { what, signal }: Pick<WebRequest, 'what' | 'signal'>,
): AsyncGenerator<Buffer> {
  try {
    yield* steady(body, timeouts.idleMs)
  } catch (error) {
    signal?.throwIfAborted()
    throw isNetworkError(error) ? networkError(error, what, 1, timeouts.idleMs) : error
  }
}
