/** Objects in a bucket of Amazon S3, or of what speaks like it. */
import type { RegistryClient, UrlAnswer } from '@tsbuild/registry-client'
import {
  type FoundObject,
  type ObjectState,
  type ObjectStore,
  Slots,
  stateOf,
  type WriteCondition,
} from './object-store.ts'
import { type PartedUpload, uploadInParts } from './parts.ts'
import { elementOf, type Hide, hider, readAnswer, ServiceError, serviceError } from './service-error.ts'
import { type AwsCredentials, encodeRfc3986, signRequest } from './sigv4.ts'

export interface S3StoreOptions {
  readonly client: RegistryClient
  readonly bucket: string
  readonly region: string
  /** undefined: Amazon's own. */
  readonly endpoint: URL | undefined
  readonly pathStyle: boolean
  readonly credentials: (signal: AbortSignal) => Promise<AwsCredentials>
  /** How often a request is sent at most; undefined: as the client does. */
  readonly attempts: number | undefined
  /** Parts of objects that are under way, and in memory, at the same time. */
  readonly parallel: number
  readonly now: () => number
}

const MAX_PARTS = 10_000
/** What a copy can copy at once. */
export const MAX_COPY = 5 * 1024 ** 3
/** Bytes of an answer in XML that is read. */
const XML_LIMIT = 64 << 10

interface Call {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  readonly key: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
  readonly signal: AbortSignal
}

export class S3Store implements ObjectStore {
  /** Amazon keeps them since 2024; others may, and nothing tells. */
  readonly conditional: boolean
  readonly #options: S3StoreOptions
  readonly #base: URL
  readonly #slots: Slots
  #hide: Hide = (text) => text

  constructor(options: S3StoreOptions) {
    this.#options = options
    this.#base = bucketUrl(options)
    this.#slots = new Slots(options.parallel)
    this.conditional = options.endpoint === undefined
  }

  async stat(key: string, signal: AbortSignal): Promise<ObjectState | undefined> {
    await using answer = await this.#send({ method: 'HEAD', key, signal })
    if (answer.status === 404) return undefined
    await this.#expect(answer, 200, `HEAD ${key}`)
    return stateOf(answer)
  }

  async get(key: string, offset: number, signal: AbortSignal): Promise<FoundObject | undefined> {
    const answer = await this.#send({
      method: 'GET',
      key,
      ...(offset > 0 && { headers: { range: `bytes=${offset}-` } }),
      signal,
    })
    if (answer.status === 404) {
      const problem = await serviceError(`GET ${key}`, answer, this.#hide)
      // A bucket that is not there is a mistake, no empty cache.
      if (problem.code === 'NoSuchBucket') throw problem
      return undefined
    }
    await this.#expect(answer, offset > 0 ? 206 : 200, `GET ${key}`)
    return { etag: answer.headers.get('etag')?.[0] ?? '', mediaType: mediaTypeOf(answer), body: answer.body }
  }

  async put(
    key: string,
    body: Buffer,
    mediaType: string,
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const conditions = condition === 'absent' ? { 'if-none-match': '*' } : { 'if-match': condition.etag }
    const write = (headers: Record<string, string>) =>
      this.#send({ method: 'PUT', key, headers: { 'content-type': mediaType, ...headers }, body, signal })
    let answer = await write(conditions)
    if (answer.status === 501) {
      await answer[Symbol.asyncDispose]()
      answer = await write({})
    }
    await using written = answer
    // 409: another write is under way; 404: what was to be replaced has gone.
    if (written.status === 412 || written.status === 409 || (written.status === 404 && condition !== 'absent')) {
      const problem = await serviceError(`PUT ${key}`, written, (text) => text)
      if (problem.code === 'NoSuchBucket') throw problem
      return undefined
    }
    await this.#expect(written, 200, `PUT ${key}`)
    return written.headers.get('etag')?.[0] ?? ''
  }

  upload(key: string, size: number, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    return uploadInParts(this.#parted(key, signal), size, chunks, { slots: this.#slots, maxParts: MAX_PARTS, signal })
  }

  /** A copy onto itself, with metadata of its own, since one that changes nothing is refused. */
  async touch(key: string, size: number, signal: AbortSignal): Promise<void> {
    const source = `/${this.#options.bucket}/${key}`
    const headers = { 'x-amz-copy-source': source.split('/').map(encodeSegment).join('/') }
    if (size < MAX_COPY) {
      const replace = {
        ...headers,
        'x-amz-metadata-directive': 'REPLACE',
        'x-amz-meta-updated-at': new Date(this.#options.now()).toISOString(),
      }
      await this.#expectXml({ method: 'PUT', key, headers: replace, signal }, 'CopyObjectResult')
      return
    }
    const id = await this.#create(key, signal, { 'x-amz-meta-updated-at': new Date(this.#options.now()).toISOString() })
    try {
      const etags: string[] = []
      for (let start = 0; start < size; start += MAX_COPY) {
        const range = `bytes=${start}-${Math.min(start + MAX_COPY, size) - 1}`
        const query = { partNumber: String(etags.length + 1), uploadId: id }
        const part = { method: 'PUT', key, query, headers: { ...headers, 'x-amz-copy-source-range': range } } as const
        const xml = await this.#expectXml({ ...part, signal }, 'CopyPartResult')
        etags.push(elementOf(xml, 'ETag') ?? '')
      }
      await this.#complete(key, id, etags, signal)
    } catch (error) {
      await this.#abandon(key, id)
      throw error
    }
  }

  #parted(key: string, signal: AbortSignal): PartedUpload {
    let id = ''
    const etags: string[] = []
    return {
      whole: async (body) => {
        await using answer = await this.#send({ method: 'PUT', key, body, signal })
        await this.#expect(answer, 200, `PUT ${key}`)
      },
      begin: async () => {
        id = await this.#create(key, signal)
      },
      part: async (body, index) => {
        const query = { partNumber: String(index + 1), uploadId: id }
        await using answer = await this.#send({ method: 'PUT', key, query, body, signal })
        await this.#expect(answer, 200, `PUT ${key}`)
        etags[index] = answer.headers.get('etag')?.[0] ?? ''
      },
      finish: () => this.#complete(key, id, etags, signal),
      abandon: () => this.#abandon(key, id),
    }
  }

  async #create(key: string, signal: AbortSignal, headers: Record<string, string> = {}): Promise<string> {
    const call = { method: 'POST', key, query: { uploads: '' }, headers, body: Buffer.alloc(0), signal } as const
    const id = elementOf(await this.#expectXml(call, 'InitiateMultipartUploadResult'), 'UploadId')
    if (id === undefined || id.length > 2048) throw new ServiceError(`POST ${key}: the answer names no upload`)
    return id
  }

  async #complete(key: string, id: string, etags: readonly string[], signal: AbortSignal): Promise<void> {
    const parts = etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${xml(etag)}</ETag></Part>`)
    const body = Buffer.from(
      `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join('')}</CompleteMultipartUpload>`,
    )
    const headers = { 'content-type': 'application/xml' }
    const call = { method: 'POST', key, query: { uploadId: id }, headers, body, signal } as const
    await this.#expectXml(call, 'CompleteMultipartUploadResult')
  }

  /** Parts that nobody will complete would be kept, and paid for. */
  async #abandon(key: string, id: string): Promise<void> {
    if (id === '') return
    const signal = AbortSignal.timeout(10_000)
    await using _ = await this.#send({ method: 'DELETE', key, query: { uploadId: id }, signal })
  }

  /** Copies and completions are answered with 200 before they have succeeded: the body says whether they have. */
  async #expectXml(call: Call, element: string): Promise<string> {
    const what = `${call.method} ${call.key}`
    await using answer = await this.#send(call)
    await this.#expect(answer, 200, what)
    const text = (await readAnswer(answer, XML_LIMIT, `the answer to ${what}`)).toString()
    if (text.includes(`<${element}`)) return text
    throw new ServiceError(`${what}: ${elementOf(text, 'Code') ?? 'an answer of another form'}`)
  }

  async #expect(answer: UrlAnswer, status: number, what: string): Promise<void> {
    if (answer.status === status) return
    const { region } = this.#options
    const right = answer.headers.get('x-amz-bucket-region')?.[0]
    const problem = await serviceError(what, answer, this.#hide)
    if (right === undefined || right === region || !/^[a-z0-9-]{1,40}$/.test(right)) throw problem
    throw new ServiceError(`${problem.message}; the bucket is in the region ${right}`, problem.status, problem.code)
  }

  async #send({ method, key, query = {}, headers = {}, body, signal }: Call): Promise<UrlAnswer> {
    const { client, region, attempts, now } = this.#options
    const credentials = await this.#options.credentials(signal)
    this.#hide = hider(credentials.secretAccessKey, credentials.sessionToken)
    const url = new URL(this.#base)
    url.pathname += key.split('/').map(encodeRfc3986).join('/')
    url.search = Object.entries(query)
      .map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`)
      .join('&')
    const payload = body ?? (method === 'PUT' ? Buffer.alloc(0) : undefined)
    return client.request(url, {
      method,
      headers: () =>
        signRequest({ method, url, headers, body: payload }, { credentials, region, service: 's3', time: now() }),
      body: payload,
      attempts,
      what: `${method} ${url.origin}${url.pathname}`,
      signal,
    })
  }
}

/** Where a bucket is: a host of its own, or a path of the service's where a name cannot be part of a host. */
function bucketUrl({ bucket, region, endpoint, pathStyle }: S3StoreOptions): URL {
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  const url = new URL(endpoint ?? `https://s3.${region}.${suffix}`)
  const isIp = /^[\d.]+$|^\[/.test(url.hostname)
  const asHost = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(bucket) && !isIp && !(endpoint !== undefined && pathStyle)
  const base = url.pathname.replace(/\/*$/, '/')
  if (asHost) url.hostname = `${bucket}.${url.hostname}`
  url.pathname = asHost ? base : `${base}${encodeRfc3986(bucket)}/`
  return url
}

/** As in {@link encodeRfc3986}, but for the colon in digests, which some servers do not decode where they compare. */
function encodeSegment(text: string): string {
  return encodeRfc3986(text).replaceAll('%3A', ':')
}

function mediaTypeOf(answer: UrlAnswer): string | undefined {
  return answer.headers.get('content-type')?.[0]?.replace(/;.*/s, '').trim()
}

function xml(text: string): string {
  return text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`)
}
