/**
 * Downloads: ADD of a URL, and contexts that are a URL.
 *
 * Credentials in a URL go to its own origin only. Redirects, idle time and size are bounded, and nothing counts as
 * downloaded before all of it was there and its checksum was right.
 */
import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { isRegistryError, type RegistryClient, type UrlAnswer } from '@tsbuild/registry-client'
import { BuildError, throwIfAborted } from '../errors.ts'
import { redactUrl } from '../redact.ts'
import { hasCode } from '../util/has-code.ts'
import { parseChecksum } from './checksum.ts'
import { contextErrors } from './errors.ts'

/**
 * What a server said about a file, to ask it again whether the file is still the same. As in the reference, that is its
 * ETag only: a file that was put back to an older one is not modified since.
 */
export interface HttpValidators {
  readonly etag?: string | undefined
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
  readonly client: Downloader
}

/** Who asks servers: knows proxies, redirects, whom to trust, and when to ask again. */
export type Downloader = Pick<RegistryClient, 'get'>

const MAX_SIZE = 32 * 1024 ** 3

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
  try {
    const headers = headersFor(validators)
    await using response = await options.client.get(url, { headers, what: shown, signal })
    if (response.status === 304 && validators?.etag !== undefined) return { kind: 'unchanged' }
    if (response.status < 200 || response.status >= 300) throw contextErrors.httpStatus([shown, response.status])
    const sha256 = createHash('sha256')
    const other = expected && expected.algorithm !== 'sha256' ? createHash(expected.algorithm) : undefined
    const maxSize = options.maxSize ?? MAX_SIZE
    let size = 0
    const body = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of unpacked(response)) {
        size += chunk.length
        if (size > maxSize) throw contextErrors.httpFailed([shown, `the file is larger than ${maxSize} bytes`])
        sha256.update(chunk)
        other?.update(chunk)
        yield chunk
      }
    }
    await options.sink(body())
    const digest = sha256.digest('hex')
    if (expected !== undefined) {
      const actual = other?.digest('hex') ?? digest
      if (actual !== expected.hex) {
        throw contextErrors.digestMismatch([shown, `${expected.algorithm}:${actual}`, options.checksum!])
      }
    }
    const lastModified = header(response.headers, 'last-modified')
    const time = lastModified === undefined ? Number.NaN : Date.parse(lastModified)
    return {
      kind: 'downloaded',
      digest: `sha256:${digest}`,
      size,
      mtime: Number.isNaN(time) ? 0 : Math.floor(time / 1000),
      etag: header(response.headers, 'etag'),
    }
  } catch (error) {
    throwIfAborted(signal)
    if (error instanceof BuildError) throw error
    // It begins with what was asked for.
    if (isRegistryError(error))
      throw contextErrors.httpFailed([shown, error.message.slice(shown.length + 2)], { cause: error })
    if (hasCode(error, 'Z_DATA_ERROR', 'Z_BUF_ERROR'))
      throw contextErrors.httpFailed([shown, (error as Error).message], { cause: error })
    throw error
  }
}

function headersFor({ etag }: HttpValidators = {}): Record<string, string> {
  return {
    'user-agent': 'tsbuild',
    'accept-encoding': 'gzip',
    ...(etag !== undefined && { 'if-none-match': etag }),
  }
}

/** What was sent packed is unpacked. Each chunk is valid until the next one is asked for. */
async function* unpacked({ body, headers }: UrlAnswer): AsyncGenerator<Uint8Array> {
  if (!/^(x-)?gzip$/i.test(header(headers, 'content-encoding') ?? '')) return yield* body
  async function* copies(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) yield Buffer.from(chunk)
  }
  const gunzip = createGunzip()
  // What fails on the way ends what is read, too.
  pipeline(copies(), gunzip, () => {})
  yield* gunzip
}

function header(headers: UrlAnswer['headers'], name: string): string | undefined {
  return headers.get(name)?.[0]
}
