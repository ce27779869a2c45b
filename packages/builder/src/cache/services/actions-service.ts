/**
 * The cache service of GitHub Actions: entries that are written once, and found by their keys or by how these begin. Its
 * second version speaks twirp and has its content in Azure's storage; the first one is what some servers still have.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isRegistryError, type RegistryClient, schema, type UrlAnswer } from '@tsbuild/registry-client'
import { AZURE_VERSION, blockBlobUpload, MAX_BLOCKS } from './block-blob.ts'
import { Slots } from './object-store.ts'
import { type PartedUpload, uploadInParts } from './parts.ts'
import { type Hide, hider, readAnswer, ServiceError, serviceError } from './service-error.ts'

export interface ActionsOptions {
  readonly client: RegistryClient
  readonly version: 1 | 2
  readonly url: URL
  readonly token: string
  /** Tells our entries from those of other programs: keys count within one version only. */
  readonly entryVersion: string
  /** For how long one request is sent again, at most. */
  readonly timeoutMs: number
  readonly now: () => number
}

/** An entry that was found. */
export interface FoundEntry {
  readonly key: string
  /** Where its content is, for a while; lets everybody pass. */
  readonly url: URL
}

/** A place that is taken for an entry of a key. */
interface Reservation {
  readonly upload: (signal: AbortSignal) => PartedUpload
  readonly maxParts: number
  commit(size: number, signal: AbortSignal): Promise<void>
}

const ANSWER_LIMIT = 64 << 10
/** Parts under way, and in memory, at the same time. */
const PARALLEL = 4
const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 60_000

export class ActionsService {
  readonly #options: ActionsOptions
  readonly #hide: Hide
  readonly #slots = new Slots(PARALLEL)
  /** Until when nobody asks for anything: whoever is told to wait tells the others. */
  #closedUntil = 0

  constructor(options: ActionsOptions) {
    this.#options = options
    this.#hide = hider(options.token)
  }

  /** The newest entry whose key begins so, in any scope that the token may read. */
  async find(prefix: string, signal: AbortSignal): Promise<FoundEntry | undefined> {
    const { entryVersion: version } = this.#options
    if (this.#options.version === 2) {
      const found = await this.#twirp(
        'GetCacheEntryDownloadURL',
        { key: prefix, restore_keys: [prefix], version },
        signal,
      )
      const { ok, signed_download_url: url, matched_key: key } = this.#parse(found, foundV2)
      return ok && url && key?.startsWith(prefix) ? { key, url: this.#signed(url) } : undefined
    }
    const query = new URLSearchParams({ keys: prefix, version })
    const bytes = await this.#v1('GET', `cache?${query}`, undefined, signal)
    if (bytes.length === 0) return undefined
    const { cacheKey: key, archiveLocation: url } = this.#parse(bytes, foundV1)
    return key?.startsWith(prefix) && url ? { key, url: this.#signed(url) } : undefined
  }

  /**
   * Writes an entry. Returns false when its key is taken, by one that is there or by one that is being written.
   *
   * @param chunks exactly `size` bytes; called when the key is ours
   */
  async write(
    key: string,
    size: number,
    chunks: () => AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const reservation = await this.#reserve(key, signal)
    if (reservation === undefined) return false
    const { maxParts } = reservation
    await uploadInParts(reservation.upload(signal), size, chunks(), { slots: this.#slots, maxParts, signal })
    await reservation.commit(size, signal)
    return true
  }

  /**
   * Bytes of an entry, from `start` to before `end`; undefined: its address has ended.
   */
  async read(
    { key, url }: FoundEntry,
    start: number,
    end: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<AsyncIterable<Buffer> | undefined> {
    const range: Record<string, string> =
      start > 0 || end !== undefined ? { range: `bytes=${start}-${end === undefined ? '' : end - 1}` } : {}
    const what = `entry ${key}`
    const answer = await this.#options.client.request(url, { method: 'GET', headers: () => range, what, signal })
    const { status } = answer
    if (status === 206 || (status === 200 && start === 0)) return answer.body
    const problem = await serviceError(what, answer, this.#hideUrl(url))
    if (status === 401 || status === 403 || status === 404) return undefined
    throw status === 200 ? new ServiceError(`${what}: the server gives no ranges`) : problem
  }

  async #reserve(key: string, signal: AbortSignal): Promise<Reservation | undefined> {
    const { client, entryVersion: version } = this.#options
    if (this.#options.version === 2) {
      const answer = await this.#twirp('CreateCacheEntry', { key, version }, signal)
      if (answer === undefined) return undefined
      const { ok, signed_upload_url: text } = this.#parse(answer, createdV2)
      if (!ok || !text) throw new ServiceError(`the cache service gives no place for ${key}`)
      const url = this.#signed(text)
      const hide = this.#hideUrl(url)
      return {
        maxParts: MAX_BLOCKS,
        upload: (signal) =>
          blockBlobUpload(
            ({ method, url, headers, body, signal }) => {
              const all = { 'x-ms-version': AZURE_VERSION, ...headers }
              return client.request(url, { method, headers: () => all, body, what: `entry ${key}`, signal })
            },
            url,
            { what: `entry ${key}`, hide, signal },
          ),
        commit: async (size, signal) => {
          const sent = { key, size_bytes: size, version }
          const { ok } = this.#parse(await this.#twirp('FinalizeCacheEntryUpload', sent, signal), finishedV2)
          if (!ok) throw new ServiceError(`the cache service did not take ${key}`)
        },
      }
    }
    const answer = await this.#v1('POST', 'caches', { key, version }, signal)
    if (answer.length === 0) return undefined
    const { cacheId = undefined, cacheID = cacheId } = this.#parse(answer, createdV1)
    if (cacheID === undefined) throw new ServiceError(`the cache service gives no place for ${key}`)
    const path = `caches/${cacheID}`
    return {
      maxParts: MAX_BLOCKS,
      upload: (signal) => {
        const part = async (body: Buffer, _: number, offset: number) => {
          const range = { 'content-range': `bytes ${offset}-${offset + body.length - 1}/*` }
          await this.#v1('PATCH', path, body, signal, range)
        }
        return {
          whole: (body) => (body.length === 0 ? Promise.resolve() : part(body, 0, 0)),
          part,
          finish: async () => {},
        }
      },
      commit: async (size, signal) => void (await this.#v1('POST', path, { size }, signal)),
    }
  }

  /** undefined: what is to be made is there already. */
  async #twirp(method: string, message: object, signal: AbortSignal): Promise<Buffer | undefined> {
    const url = this.#path(`twirp/github.actions.results.api.v1.CacheService/${method}`)
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const answer = await this.#ask(method, 'POST', url, headers, Buffer.from(JSON.stringify(message)), signal)
    return answer.status === 409 ? undefined : answer.bytes
  }

  /** Empty: there is nothing, or it is there already. */
  async #v1(
    method: 'GET' | 'POST' | 'PATCH',
    path: string,
    message: object | Buffer | undefined,
    signal: AbortSignal,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Buffer> {
    const url = this.#path(`_apis/artifactcache/${path}`)
    const binary = Buffer.isBuffer(message)
    const body = binary || message === undefined ? message : Buffer.from(JSON.stringify(message))
    const type = binary ? 'application/octet-stream' : 'application/json'
    const accept = 'application/json;api-version=6.0-preview.1'
    const headers = { accept, ...(body !== undefined && { 'content-type': type }), ...more }
    const { status, bytes } = await this.#ask('cache service', method, url, headers, body as Buffer | undefined, signal)
    return status === 409 || status === 204 ? Buffer.alloc(0) : bytes
  }

  /** Asks until there is an answer that does not pass by itself, or the time is over. */
  async #ask(
    what: string,
    method: 'GET' | 'POST' | 'PATCH',
    url: URL,
    more: Readonly<Record<string, string>>,
    body: Buffer | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly bytes: Buffer }> {
    const { client, token, timeoutMs, now } = this.#options
    const headers = () => ({ authorization: `Bearer ${token}`, ...more })
    const until = now() + timeoutMs
    for (let attempt = 0; ; attempt++) {
      for (let ms = this.#closedUntil - now(); ms > 0; ms = this.#closedUntil - now())
        await sleep(ms, undefined, { signal })
      let wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt) * (0.5 + Math.random() / 2)
      let problem: unknown
      try {
        await using answer = await client.request(url, { method, headers, body, attempts: 1, what, signal })
        const { status } = answer
        if ((status >= 200 && status < 300) || status === 409)
          return { status, bytes: await readAnswer(answer, ANSWER_LIMIT, `the answer to ${what}`) }
        problem = await serviceError(what, answer, this.#hide)
        if (status !== 429 && status !== 408 && status < 500) throw problem
        wait = waitOf(answer, now()) ?? wait
        if (now() + wait > until) throw problem
        if (status === 429) this.#closedUntil = Math.max(this.#closedUntil, now() + wait)
      } catch (error) {
        signal.throwIfAborted()
        if (error === problem || !isRegistryError(error, 'NETWORK', 'TIMEOUT') || now() + wait > until) throw error
      }
      await sleep(wait, undefined, { signal })
    }
  }

  #path(relative: string): URL {
    const url = new URL(this.#options.url)
    const [path, query = ''] = relative.split('?')
    url.pathname = `${url.pathname.replace(/\/*$/, '')}/${path}`
    url.search = query
    return url
  }

  #parse<T>(bytes: Buffer | undefined, of: schema.Schema<T>): T {
    try {
      return schema.parseDocument(bytes ?? Buffer.alloc(0), of)
    } catch (error) {
      if (!(error instanceof schema.SchemaProblem)) throw error
      throw new ServiceError(`the cache service gave an answer of another form: ${error.message}`)
    }
  }

  /** An address that the service names. It may not lead from TLS to none. */
  #signed(text: string): URL {
    const url = URL.canParse(text) ? new URL(text) : undefined
    const fine = url?.protocol === 'https:' || (url?.protocol === 'http:' && this.#options.url.protocol === 'http:')
    if (url === undefined || !fine) throw new ServiceError('the cache service gave an address that is none')
    return url
  }

  #hideUrl(url: URL): Hide {
    return hider(this.#options.token, url.searchParams.get('sig') ?? undefined, url.search)
  }
}

/** Milliseconds of Retry-After. */
function waitOf({ headers }: UrlAnswer, now: number): number | undefined {
  const value = headers.get('retry-after')?.[0]?.trim()
  if (value === undefined || value === '') return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

const optionalText = schema.optional(schema.text)
const flag = schema.optional(schema.flag)
const createdV2 = schema.object<{ ok?: boolean; signed_upload_url?: string }>({
  ok: flag,
  signed_upload_url: optionalText,
})
const finishedV2 = schema.object<{ ok?: boolean }>({ ok: flag })
const foundV2 = schema.object<{ ok?: boolean; signed_download_url?: string; matched_key?: string }>({
  ok: flag,
  signed_download_url: optionalText,
  matched_key: optionalText,
})
const createdV1 = schema.object<{ cacheId?: number; cacheID?: number }>({
  cacheId: schema.optional(schema.size),
  cacheID: schema.optional(schema.size),
})
const foundV1 = schema.object<{ cacheKey?: string; archiveLocation?: string }>({
  cacheKey: optionalText,
  archiveLocation: optionalText,
})
