/**
 * Requests to token servers: repeated like others, redirected only without credentials.
 */
import type { ConnectionOptions } from 'node:tls'
import { registryErrors } from '../model/errors.ts'
import { redactUrl } from '../transport/events.ts'
import { type HttpResponse, header } from '../transport/http.ts'
import { networkError } from '../transport/network-error.ts'
import { isRedirect, redirectLimit, resolveLocation } from '../transport/redirect.ts'
import { backoff, isNetworkError, isTransientError, isTransientStatus, pause, retryAfter } from '../transport/retry.ts'
import type { HostEnvironment } from './environment.ts'

interface TokenRequest {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer
}

type TlsFor = (url: URL) => ConnectionOptions | undefined

/** Sends a request to a token server. Every status that does not pass by itself is returned. */
export async function fetchToken(
  env: HostEnvironment,
  tlsFor: TlsFor,
  request: TokenRequest,
  signal: AbortSignal | undefined,
): Promise<HttpResponse> {
  const { retry, now, random, timeouts, onEvent } = env
  const { method, url } = request
  const what = `token server ${url.host}`
  for (let attempt = 1; ; attempt++) {
    let delayMs = backoff(attempt, retry, random)
    let reason: string
    try {
      const answer = await follow(env, tlsFor, request, signal, attempt)
      if (!isTransientStatus(answer.status) || attempt >= retry.attempts) return answer
      delayMs = Math.min(retryAfter(answer.headers, now()) ?? delayMs, retry.maxRetryAfterMs)
      reason = `status ${answer.status}`
      await answer.body.discard()
    } catch (error) {
      signal?.throwIfAborted()
      if (!isNetworkError(error)) throw error
      if (attempt >= retry.attempts || !isTransientError(error))
        throw networkError(error, what, attempt, timeouts.idleMs)
      reason = error instanceof Error ? error.message : String(error)
    }
    onEvent({ type: 'retry', method, url: redactUrl(url), attempt: attempt + 1, delayMs, reason })
    await pause(delayMs, signal)
  }
}

async function follow(
  env: HostEnvironment,
  tlsFor: TlsFor,
  request: TokenRequest,
  signal: AbortSignal | undefined,
  attempt: number,
): Promise<HttpResponse> {
  const { connections, timeouts, userAgent, now, onEvent } = env
  const { method, body } = request
  const { authorization, ...others } = request.headers
  let { url } = request
  for (let hops = 0; ; hops++) {
    const own = url.origin === request.url.origin
    const started = now()
    const answer = await connections.transport(url, tlsFor(url)).send({
      method,
      url,
      headers: {
        'user-agent': userAgent,
        accept: 'application/json',
        ...others,
        ...(own && authorization !== undefined && { authorization }),
      },
      body,
      headersMs: timeouts.idleMs,
      idleMs: timeouts.idleMs,
      signal,
    })
    onEvent({
      type: 'request',
      method,
      url: redactUrl(url),
      status: answer.status,
      durationMs: now() - started,
      attempt,
    })
    // The body of a POST is the refresh token: it goes nowhere else.
    if (!isRedirect(answer.status) || method !== 'GET') return answer
    await answer.body.discard()
    const what = `token server ${url.host}`
    if (hops >= redirectLimit) throw registryErrors.redirectRefused([what, `more than ${redirectLimit} in a row`])
    url = resolveLocation(header(answer.headers, 'location'), url, what)
  }
}
