/** Requests to servers that are no registries, by their URL. */
import type { CallOptions } from '../model/content.ts'
import { registryErrors } from '../model/errors.ts'
import { redactUrl } from '../transport/events.ts'
import type { HttpHeaders } from '../transport/http.ts'
import { sendToWeb, type WebRequest, webBody } from '../transport/web-request.ts'
import type { HostEnvironment } from './environment.ts'

export interface UrlOptions extends CallOptions {
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Begins the messages of errors; default the URL without what is secret in it. */
  readonly what?: string | undefined
}

/** A request of an interface that the caller knows: he makes its headers, and redirects are answers. */
export interface UrlRequest extends CallOptions {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Made for each try, since signatures name the time. */
  readonly headers?: (() => Readonly<Record<string, string>>) | undefined
  readonly body?: Buffer | undefined
  /** How often to ask at most where an answer may pass by itself; default as the client does. */
  readonly attempts?: number | undefined
  /** See {@link UrlOptions.what}. */
  readonly what?: string | undefined
}

/** What a server answered. */
export interface UrlAnswer {
  readonly status: number
  /** Lowercase names, values in order of arrival. */
  readonly headers: HttpHeaders
  /**
   * The content as it was sent; iterate it once, or dispose the answer. Each chunk is valid until the next one is asked for.
   *
   * @throws RegistryError NETWORK, TIMEOUT
   */
  readonly body: AsyncIterable<Buffer>
  /** Lets the body go. */
  [Symbol.asyncDispose](): Promise<void>
}

/** See `RegistryClient.get`. */
export async function downloadUrl(
  env: HostEnvironment,
  text: string | URL,
  { headers = {}, signal, what = redactUrl(text) }: UrlOptions,
): Promise<UrlAnswer> {
  const refuse = (why: string) => registryErrors.redirectRefused([what, why])
  const authorizations = new Map<string, string>()
  /** A user in a URL is for its own origin, from there on. */
  const plain = (location: string | URL, from?: URL): URL => {
    if (!URL.canParse(location.toString(), from?.href)) throw refuse('it is not a URL')
    const url = new URL(location, from)
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refuse(`redirected to ${url.protocol}`)
    const { username, password } = url
    if (from !== undefined && from.origin !== url.origin) authorizations.clear()
    if (username !== '' || password !== '') {
      const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
      authorizations.set(url.origin, `Basic ${Buffer.from(user).toString('base64')}`)
    }
    url.username = ''
    url.password = ''
    url.hash = ''
    return url
  }
  const request = {
    method: 'GET',
    url: plain(text),
    headers: ({ origin }: URL) => {
      const authorization = authorizations.get(origin)
      return { 'accept-encoding': 'identity', ...headers, ...(authorization !== undefined && { authorization }) }
    },
    redirect: (location: string | undefined, from: URL) => {
      if (location === undefined) throw refuse('no Location header')
      return plain(location, from)
    },
    tls: await env.trusted(),
    what,
    signal,
  } as const
  return urlAnswer(env, request)
}

/** See `RegistryClient.request`. */
export async function requestUrl(
  env: HostEnvironment,
  url: URL,
  { method, headers, body, attempts, what = redactUrl(url), signal }: UrlRequest,
): Promise<UrlAnswer> {
  const ask = () => ({ 'accept-encoding': 'identity', ...headers?.() })
  return urlAnswer(env, { method, url, body, headers: ask, attempts, tls: await env.trusted(), what, signal })
}

async function urlAnswer(env: HostEnvironment, request: WebRequest): Promise<UrlAnswer> {
  const answer = await sendToWeb(env, request)
  let taken = false
  return {
    status: answer.status,
    headers: answer.headers,
    body: {
      [Symbol.asyncIterator]() {
        taken = true
        return webBody(env, answer, request)
      },
    },
    // Once it was read its connection is somebody else's.
    [Symbol.asyncDispose]: async () => {
      if (!taken) await answer.body.discard()
    },
  }
}
