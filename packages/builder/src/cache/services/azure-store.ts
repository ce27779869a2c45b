/** Objects in a container of Azure's blob storage. */
import type { RegistryClient, UrlAnswer } from '@tsbuild/registry-client'
import type { AzureAuth } from './azure-auth.ts'
import { AZURE_VERSION, type BlobCall, blockBlobUpload, MAX_BLOCKS } from './block-blob.ts'
import {
  type FoundObject,
  type ObjectState,
  type ObjectStore,
  Slots,
  stateOf,
  type WriteCondition,
} from './object-store.ts'
import { uploadInParts } from './parts.ts'
import { type Hide, type ServiceError, serviceError } from './service-error.ts'
import { encodeRfc3986 } from './sigv4.ts'

export interface AzureStoreOptions {
  readonly client: RegistryClient
  /** The account's, with a signature in its query where that lets requests pass. */
  readonly account: URL
  readonly container: string
  readonly auth: (signal: AbortSignal) => Promise<AzureAuth>
  readonly hide: Hide
  readonly now: () => number
}

/** Blocks under way, and in memory, at the same time. */
const PARALLEL = 4

export class AzureStore implements ObjectStore {
  readonly conditional = true
  readonly #options: AzureStoreOptions
  readonly #slots = new Slots(PARALLEL)
  #made: Promise<void> | undefined

  constructor(options: AzureStoreOptions) {
    this.#options = options
  }

  async stat(key: string, signal: AbortSignal): Promise<ObjectState | undefined> {
    await using answer = await this.#send({ method: 'HEAD', url: this.#url(key), signal })
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw await this.#error('HEAD', key, answer)
    return stateOf(answer)
  }

  async get(key: string, offset: number, signal: AbortSignal): Promise<FoundObject | undefined> {
    const headers = offset > 0 ? { 'x-ms-range': `bytes=${offset}-` } : {}
    const answer = await this.#send({ method: 'GET', url: this.#url(key), headers, signal })
    const { status } = answer
    if (status !== (offset > 0 ? 206 : 200)) {
      const problem = await this.#error('GET', key, answer)
      if (problem.status === 404) return undefined
      throw problem
    }
    const type = answer.headers.get('content-type')?.[0]
    return { etag: answer.headers.get('etag')?.[0] ?? '', mediaType: type, body: answer.body }
  }

  async put(
    key: string,
    body: Buffer,
    mediaType: string,
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    await this.#makeContainer(signal)
    const headers = {
      'x-ms-blob-type': 'BlockBlob',
      'content-type': mediaType,
      ...(condition === 'absent' ? { 'if-none-match': '*' } : { 'if-match': condition.etag }),
    }
    await using answer = await this.#send({ method: 'PUT', url: this.#url(key), headers, body, signal })
    if (answer.status === 201) return answer.headers.get('etag')?.[0] ?? ''
    const problem = await this.#error('PUT', key, answer)
    if (problem.status === 412 || (problem.status === 409 && problem.code === 'BlobAlreadyExists')) return undefined
    if (problem.status === 404 && problem.code === 'BlobNotFound') return undefined
    throw problem
  }

  async upload(key: string, size: number, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    await this.#makeContainer(signal)
    const { hide } = this.#options
    const upload = blockBlobUpload((call) => this.#send(call), this.#url(key), { what: key, hide, signal })
    await uploadInParts(upload, size, chunks, { slots: this.#slots, maxParts: MAX_BLOCKS, signal })
  }

  /** Looked for before the first write. Who may write only blobs is not told whether it is there: then it is. */
  #makeContainer(signal: AbortSignal): Promise<void> {
    this.#made ??= this.#createContainer(signal).catch((error: unknown) => {
      this.#made = undefined
      throw error
    })
    return this.#made
  }

  async #createContainer(signal: AbortSignal): Promise<void> {
    const url = this.#url()
    url.searchParams.set('restype', 'container')
    await using there = await this.#send({ method: 'HEAD', url, signal })
    if (there.status !== 404) return
    await using made = await this.#send({ method: 'PUT', url, body: Buffer.alloc(0), signal })
    if (made.status === 201) return
    const problem = await this.#error('PUT', this.#options.container, made)
    if (problem.code !== 'ContainerAlreadyExists') throw problem
  }

  #url(key?: string): URL {
    const { account, container } = this.#options
    const url = new URL(account)
    const path = key === undefined ? '' : `/${key.split('/').map(encodeRfc3986).join('/')}`
    url.pathname = `${url.pathname.replace(/\/*$/, '')}/${encodeRfc3986(container)}${path}`
    return url
  }

  #error(method: string, key: string, answer: UrlAnswer): Promise<ServiceError> {
    return serviceError(`${method} ${key}`, answer, this.#options.hide)
  }

  async #send({ method, url, headers = {}, body, signal }: BlobCall): Promise<UrlAnswer> {
    const { client, now } = this.#options
    const auth = await this.#options.auth(signal)
    const sign = () => {
      const all = { ...headers, 'x-ms-date': new Date(now()).toUTCString(), 'x-ms-version': AZURE_VERSION }
      return { ...all, ...auth({ method, url, headers: all, length: body?.length ?? 0 }) }
    }
    const what = `${method} ${url.origin}${url.pathname}`
    return client.request(url, { method, headers: sign, body, what, signal })
  }
}
