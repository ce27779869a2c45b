/** Downloads of blobs: checked while they pass, and gone on with where a connection breaks. */
import { type Descriptor, isRegistryError, selfVerifying, verified } from '@tsbuild/registry-client'
import { throwIfAborted } from '../../errors.ts'
import { cacheErrors } from '../errors.ts'
import { ServiceError } from './service-error.ts'

/** How often in a row a download may break off without having brought anything. */
const ATTEMPTS = 4

/** Opens the content of a blob from a byte on; undefined: it is not there. */
export type OpenAt = (offset: number, signal: AbortSignal | undefined) => Promise<AsyncIterable<Buffer> | undefined>

/**
 * The content of a blob; see `CacheImporter.openBlob`.
 *
 * @param name of the cache, for messages
 */
export function downloadBlob(
  name: string,
  descriptor: Descriptor,
  open: OpenAt,
  {
    signal,
    transient = false,
  }: { readonly signal?: AbortSignal | undefined; readonly transient?: boolean | undefined },
): AsyncIterable<Buffer> {
  const { digest } = descriptor
  async function* pieces(): AsyncGenerator<Buffer> {
    let offset = 0
    for (let fruitless = 0; ; fruitless++) {
      try {
        const body = await open(offset, signal)
        if (body === undefined) throw cacheErrors.unusable([name, `the layer ${digest} is not there any more`])
        for await (const chunk of body) {
          offset += chunk.length
          fruitless = 0
          yield transient ? chunk : Buffer.from(chunk)
        }
        return
      } catch (error) {
        throwIfAborted(signal)
        if (!isBreak(error) || fruitless + 1 >= ATTEMPTS) throw asUnusable(name, error)
      }
    }
  }
  async function* checked(): AsyncGenerator<Buffer> {
    throwIfAborted(signal)
    try {
      yield* verified(pieces(), descriptor)
    } catch (error) {
      throw asUnusable(name, error)
    }
  }
  return selfVerifying({ [Symbol.asyncIterator]: checked }, digest)
}

/**
 * Reads something whole, again where a connection breaks.
 *
 * @param open gives undefined where there is nothing
 * @returns undefined as its bytes: there are more than `limit`
 */
export async function readWhole<T extends { readonly body: AsyncIterable<Buffer> }>(
  open: () => Promise<T | undefined>,
  limit: number,
  signal: AbortSignal,
): Promise<{ readonly found: T; readonly bytes: Buffer | undefined } | undefined> {
  for (let attempt = 1; ; attempt++) {
    const found = await open()
    if (found === undefined) return undefined
    try {
      return { found, bytes: await collect(found.body, limit) }
    } catch (error) {
      signal.throwIfAborted()
      if (!isBreak(error) || attempt >= ATTEMPTS) throw error
    }
  }
}

async function collect(body: AsyncIterable<Buffer>, limit: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > limit) return undefined
    chunks.push(Buffer.from(chunk))
  }
  return Buffer.concat(chunks, size)
}

function isBreak(error: unknown): boolean {
  return isRegistryError(error) && (error.code === 'NETWORK' || error.code === 'TIMEOUT')
}

function asUnusable(name: string, error: unknown): unknown {
  const passes = error instanceof ServiceError || isBreak(error)
  return passes ? cacheErrors.unusable([name, (error as Error).message], { cause: error }) : error
}
