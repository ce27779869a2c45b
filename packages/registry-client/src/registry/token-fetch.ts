/**
 * Requests to token servers: redirected only without credentials.
 */
import type { ConnectionOptions } from 'node:tls'
import type { HttpResponse } from '../transport/http.ts'
import { resolveLocation } from '../transport/redirect.ts'
import { sendToWeb } from '../transport/web-request.ts'
import type { HostEnvironment } from './environment.ts'

interface TokenRequest {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer
}

/** Sends a request to a token server. Every status that does not pass by itself is returned. */
export function fetchToken(
  env: HostEnvironment,
  tls: (url: URL) => ConnectionOptions | undefined,
  { headers: { authorization, ...others }, ...request }: TokenRequest,
  signal: AbortSignal | undefined,
): Promise<HttpResponse> {
  const what = `token server ${request.url.host}`
  return sendToWeb(env, {
    ...request,
    headers: ({ origin }) => ({
      accept: 'application/json',
      ...others,
      ...(origin === request.url.origin && authorization !== undefined && { authorization }),
    }),
    // The body of a POST is the refresh token: it goes nowhere else.
    redirect: request.method === 'GET' ? (location, from) => resolveLocation(location, from, what) : undefined,
    tls,
    what,
    signal,
  })
}
