/**
 * Downloads: ADD of a URL, and contexts that are a URL.
 *
 * Credentials in a URL go to its own origin only. Redirects, idle time and size are bounded, and nothing counts as
 * downloaded before all of it was there and its checksum was right.
 */
import { createHash } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { BuildError, throwIfAborted } from '../errors.ts'
import { redactUrl } from '../redact.ts'
import { fetchAnyPort } from './any-port.ts'
import { parseChecksum } from './checksum.ts'
import { contextErrors } from './errors.ts'

/** What a server said about a file, to ask it again whether the file is still the same. */
export interface HttpValidators {
  readonly etag?: string | undefined
  /** As the server wrote it. */
  readonly lastModified?: string | undefined
}

export interface HttpFile extends HttpValidators {
  readonly kind: 'downloaded'
  readonly digest: `sha256:${string}`
  readonly size: number
  /** Seconds since the epoch, from Last-Modified; 0 if the server gives none. */
  readonly mtime: number
}

export interface FetchOptions {
  readonly signal: AbortSignal
  /** Consumes the content. What it made is to be dropped if {@link fetchHttp} rejects. */
  readonly sink: (body: AsyncIterable<Uint8Array>) => Promise<void>
  /** `sha256:…`; the download fails unless the content has it. */
  readonly checksum?: string | undefined
  /** From an earlier download of this URL: if nothing changed, nothing is downloaded. */
  readonly validators?: HttpValidators | undefined
  /** Bytes. */
  readonly maxSize?: number | undefined
  /** Default: Node's own, on every port. Whoever wants proxies passes a fetch that knows them. */
  readonly fetch?: typeof globalThis.fetch | undefined
}

const MAX_REDIRECTS = 10
const MAX_SIZE = 32 * 1024 ** 3
const IDLE_MS = 30_000
const ATTEMPTS = 3

/**
 * Downloads a file.
 *
 * @returns `unchanged` if the server confirmed the validators
 * @throws BuildError HTTP_STATUS, HTTP_FAILED, CHECKSUM_MISMATCH, CHECKSUM_INVALID, CANCELLED, and what `sink` throws
 */
export async function fetchHttp(
  url: string,
  options: FetchOptions,
): Promise<HttpFile | { readonly kind: 'unchanged' }> {
  const { signal, validators } = options
  const expected = options.checksum ? parseChecksum(options.checksum) : undefined
  const shown = redactUrl(url)
  const idle = new IdleTimer(signal)
  try {
    const response = await request(url, headersFor(validators), idle, options)
    if (response.status === 304 && hasValidators(validators)) return { kind: 'unchanged' }
    if (response.status < 200 || response.status >= 300 || response.body === null) {
      await response.body?.cancel()
      throw contextErrors.httpStatus([shown, response.status])
    }
    const sha256 = createHash('sha256')
    const other = expected && expected.algorithm !== 'sha256' ? createHash(expected.algorithm) : undefined
    const maxSize = options.maxSize ?? MAX_SIZE
    let size = 0
    const body = async function* (stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of stream) {
        idle.touch()
        size += chunk.length
        if (size > maxSize) throw contextErrors.httpFailed([shown, `the file is larger than ${maxSize} bytes`])
        sha256.update(chunk)
        other?.update(chunk)
        yield chunk
      }
    }
    await options.sink(body(response.body))
    const digest = sha256.digest('hex')
    if (expected !== undefined) {
      const actual = other?.digest('hex') ?? digest
      if (actual !== expected.hex) {
        throw contextErrors.digestMismatch([shown, `${expected.algorithm}:${actual}`, options.checksum!])
      }
    }
    const lastModified = response.headers.get('last-modified') ?? undefined
    const time = lastModified === undefined ? Number.NaN : Date.parse(lastModified)
    return {
      kind: 'downloaded',
      digest: `sha256:${digest}`,
      size,
      mtime: Number.isNaN(time) ? 0 : Math.floor(time / 1000),
      etag: response.headers.get('etag') ?? undefined,
      lastModified,
    }
  } catch (error) {
    throwIfAborted(signal)
    if (error instanceof BuildError) throw error
    if (idle.expired) throw contextErrors.httpFailed([shown, `no data for ${IDLE_MS / 1000} seconds`], { cause: error })
    if (isNetworkError(error)) throw contextErrors.httpFailed([shown, reasonOf(error)], { cause: error })
    throw error
  } finally {
    idle.stop()
  }
}

function hasValidators(validators: HttpValidators | undefined): boolean {
  return validators?.etag !== undefined || validators?.lastModified !== undefined
}

function headersFor(validators: HttpValidators | undefined): Record<string, string> {
  const { etag, lastModified } = validators ?? {}
  return {
    'user-agent': 'tsbuild',
    'accept-encoding': 'gzip',
    ...(etag !== undefined && { 'if-none-match': etag }),
    ...(lastModified !== undefined && etag === undefined && { 'if-modified-since': lastModified }),
  }
}

/** Sends the request and follows redirects; a server that is briefly out of order is asked again. */
async function request(
  first: string,
  headers: Record<string, string>,
  idle: IdleTimer,
  { fetch = fetchAnyPort }: FetchOptions,
): Promise<Response> {
  let url = new URL(first)
  let credentials = takeCredentials(url)
  for (let redirects = 0, attempt = 1; ; ) {
    let response: Response
    idle.touch()
    try {
      const authorization = credentials === undefined ? {} : { authorization: credentials }
      response = await fetch(url, {
        headers: { ...headers, ...authorization },
        redirect: 'manual',
        signal: idle.signal,
      })
    } catch (error) {
      if (attempt >= ATTEMPTS || idle.signal.aborted || !isNetworkError(error)) throw error
      await pause(attempt++, idle.signal)
      continue
    }
    const location = response.headers.get('location')
    if (response.status >= 300 && response.status < 400 && response.status !== 304 && location !== null) {
      await response.body?.cancel()
      if (++redirects > MAX_REDIRECTS) {
        throw contextErrors.httpFailed([redactUrl(first), `stopped after ${MAX_REDIRECTS} redirects`])
      }
      const next = new URL(location, url)
      if (next.protocol !== 'http:' && next.protocol !== 'https:') {
        throw contextErrors.httpFailed([redactUrl(first), `redirected to ${next.protocol}`])
      }
      const own = takeCredentials(next)
      credentials = own ?? (next.origin === url.origin ? credentials : undefined)
      url = next
    } else if (response.status >= 500 && attempt < ATTEMPTS) {
      await response.body?.cancel()
      await pause(attempt++, idle.signal)
    } else return response
  }
}

/** fetch refuses URLs with a user in them. */
function takeCredentials(url: URL): string | undefined {
  const { username, password } = url
  if (username === '' && password === '') return undefined
  url.username = ''
  url.password = ''
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return `Basic ${Buffer.from(text).toString('base64')}`
}

async function pause(attempt: number, signal: AbortSignal): Promise<void> {
  await setTimeout(200 * 2 ** attempt, undefined, { signal })
}

/** undici reports connections that fail as a TypeError with a cause. */
function isNetworkError(error: unknown): boolean {
  const cause = (error as Error).cause
  return error instanceof TypeError || (cause as NodeJS.ErrnoException | undefined)?.code !== undefined
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error && cause.message !== '' ? cause.message : message
}

/** Aborts when nothing happened for a while, or the caller does. */
class IdleTimer {
  readonly #controller = new AbortController()
  readonly signal: AbortSignal
  readonly #timer: ReturnType<typeof globalThis.setTimeout>
  expired = false

  constructor(outer: AbortSignal) {
    this.signal = AbortSignal.any([outer, this.#controller.signal])
    this.#timer = globalThis.setTimeout(() => {
      this.expired = true
      this.#controller.abort()
    }, IDLE_MS)
  }

  touch(): void {
    this.#timer.refresh()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
