/** A fetch for ports that Node's own refuses to connect to, as browsers do: servers of builds listen where they like. */
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'

/** Statuses whose answers have no body. */
const EMPTY: ReadonlySet<number> = new Set([204, 205, 304])

/** A fetch, for requests without a body, where what `fetch` refuses for the port alone is sent over plain HTTP(S). */
export function anyPort(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (input, init) => {
    try {
      return await fetch(input, init)
    } catch (error) {
      const cause = (error as Error).cause
      if (!(cause instanceof Error && cause.message === 'bad port')) throw error
      return await fetchPlain(new URL(input instanceof Request ? input.url : input), init ?? {})
    }
  }
}

/** Node's own on any port. */
export const fetchAnyPort = anyPort((input, init) => globalThis.fetch(input, init))

async function fetchPlain(url: URL, { headers, signal }: RequestInit): Promise<Response> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
      headers: Object.fromEntries(new Headers(headers)),
      agent: false,
      ...(signal && { signal }),
    })
    // As fetch reports connections that fail.
    request.on('error', (cause) => reject(new TypeError('fetch failed', { cause })))
    request.on('response', resolve)
    request.end()
  })
  const status = answer.statusCode ?? 0
  const fields = new Headers()
  for (const [name, values] of Object.entries(answer.headersDistinct))
    for (const value of values ?? []) fields.append(name, value)
  if (EMPTY.has(status) || status < 200) {
    answer.destroy()
    return new Response(null, { status: Math.max(status, 200), headers: fields })
  }
  const packed = /^(x-)?gzip$/i.test(fields.get('content-encoding') ?? '')
  const body = packed ? answer.pipe(createGunzip()) : answer
  if (packed) answer.on('error', (error) => body.destroy(error))
  return new Response(Readable.toWeb(body) as ReadableStream<Uint8Array>, { status, headers: fields })
}
