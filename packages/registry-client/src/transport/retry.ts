/**
 * When a failed request is sent again, and after how long.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isRegistryError } from '../model/errors.ts'
import { type HttpHeaders, header } from './http.ts'

/** How failed requests are repeated. Times are milliseconds. */
export interface RetryOptions {
  /** How often a request is sent at most, the first time included. Default 5. */
  readonly attempts: number
  /** The wait before try n is random in [0, min(capMs, baseMs · 2^(n-2))]. Defaults 300 and 10,000. */
  readonly baseMs: number
  readonly capMs: number
  /** The longest Retry-After that is obeyed; longer ones are shortened to it. Default 60,000. */
  readonly maxRetryAfterMs: number
}

export const defaultRetry: RetryOptions = { attempts: 5, baseMs: 300, capMs: 10_000, maxRetryAfterMs: 60_000 }

const transientStatus = new Set([408, 425, 429, 500, 502, 503, 504])

/** true for statuses that may go away by themselves. */
export function isTransientStatus(status: number): boolean {
  return transientStatus.has(status)
}

/** How it looks when a connection was closed before or while it was used. */
const closedCodes = ['ECONNRESET', 'EPIPE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END']

const transientCodes = new Set([
  ...['ECONNREFUSED', 'ECONNABORTED', 'ETIMEDOUT', 'EAI_AGAIN', 'ENETDOWN', 'ENETUNREACH'],
  ...['EHOSTDOWN', 'EHOSTUNREACH', 'ENETRESET', 'ENOTFOUND', 'ENOTCONN', 'EPROTO', 'ERR_STREAM_PREMATURE_CLOSE'],
  ...closedCodes,
  ...['UND_ERR_SOCKET', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CLOSED'],
  ...['UND_ERR_DESTROYED', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'ERR_SSL_WRONG_VERSION_NUMBER'],
  ...['HPE_INVALID_CONSTANT', 'HPE_INVALID_CHUNK_SIZE', 'HPE_INVALID_EOF_STATE', 'HPE_CLOSED_CONNECTION'],
])

/** `code` of an error or of the first of its causes that has one. */
export function networkCode(error: unknown): string | undefined {
  for (let e = error, depth = 0; e instanceof Error && depth < 5; e = e.cause, depth++) {
    const { code } = e as { code?: unknown }
    if (typeof code === 'string') return code
    if (e instanceof AggregateError && e.errors.length > 0) return networkCode(e.errors[0])
  }
  return undefined
}

/** true for an error of a transport: it has a code of the system, of OpenSSL or of undici, and is none of ours. */
export function isNetworkError(error: unknown): boolean {
  return error instanceof Error && !isRegistryError(error) && networkCode(error) !== undefined
}

/** true for failures of the network that another try may not meet; false for bad certificates, programming errors … */
export function isTransientError(error: unknown): boolean {
  const code = networkCode(error)
  return code !== undefined && transientCodes.has(code)
}

/** true when a connection was found closed: on one that was kept for reuse, that is no failure of the server. */
export function isClosed(error: unknown): boolean {
  return closedCodes.includes(networkCode(error) ?? '')
}

/** true when a peer was silent for too long, rather than broken. */
export function isTimeout(error: unknown): boolean {
  return ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT'].includes(
    networkCode(error) ?? '',
  )
}

/** Silences in a row after which a server is given up: each of them costs a whole timeout. */
export const silenceLimit = 2

/** Retry-After in milliseconds: seconds (also with a fraction) or a date (RFC 9110 section 10.2.3). */
export function retryAfter(headers: HttpHeaders, now: number): number | undefined {
  const value = header(headers, 'retry-after')?.trim()
  if (value === undefined || value === '') return undefined
  if (/^[0-9]+(?:\.[0-9]+)?$/.test(value)) return Math.ceil(Number(value) * 1000)
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** The random wait before a try ("full jitter"). @param attempt number of tries so far, at least 1 */
export function backoff(attempt: number, options: RetryOptions, random: () => number): number {
  return Math.round(random() * Math.min(options.capMs, options.baseMs * 2 ** (attempt - 1)))
}

/**
 * The wait that all requests to one host share: when it asks one of them to come back later, the others wait too.
 */
export class HostGate {
  #until = 0
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** Closes the gate for a time, or for longer than it is closed already. */
  close(ms: number): void {
    this.#until = Math.max(this.#until, this.#now() + ms)
  }

  /** Resolves when the gate is open; rejects with the signal's reason. */
  async pass(signal: AbortSignal | undefined): Promise<void> {
    for (let ms = this.#until - this.#now(); ms > 0; ms = this.#until - this.#now()) await pause(ms, signal)
  }
}

/** Waits; rejects with the reason of the signal. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  if (ms <= 0) return
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}
