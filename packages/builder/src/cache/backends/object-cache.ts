/** A cache in a service that keeps objects by name: blobs by digest, and documents by names of the user's choice. */
import { schema, verified } from '@tsbuild/registry-client'
import type { CacheExport, CacheExporter, CacheImporter } from '../backend.ts'
import { DOCUMENT_TYPES, type DocumentCodec } from '../codec.ts'
import {
  type CacheDocument,
  documentToWrite,
  EMPTY_DOCUMENT,
  MAX_DOCUMENT_BYTES,
  serializeDocument,
} from '../document.ts'
import { cacheErrors, forCache } from '../errors.ts'
import { downloadBlob, readWhole } from '../services/download.ts'
import { type ObjectStore, pauseAbout, type WriteCondition } from '../services/object-store.ts'
import { ServiceError } from '../services/service-error.ts'
import { sendBlobs } from './send-blobs.ts'

/** Where things are in a store. */
export interface ObjectPlace {
  /** See {@link CacheImporter.name}. */
  readonly name: string
  readonly store: ObjectStore
  readonly codec: DocumentCodec
  blobKey(digest: string): string
  readonly documentKeys: readonly string[]
  /** Older blobs are touched when they are found; undefined: age means nothing there. Milliseconds. */
  readonly touchAfterMs: number | undefined
  readonly now: () => number
}

/** How often is tried to write a document that others keep writing. */
const ROUNDS = 200
/** How long to wait, about, before a document that another one has changed is written again. */
const COLLISION_MS = 100
/** How long to wait, about, to see whether one that did not look before it wrote has written over ours. */
const SETTLE_MS = 300

export function objectImporter(place: ObjectPlace): CacheImporter {
  const { name, documentKeys, store } = place
  return {
    name,
    repository: undefined,
    load: ({ signal }) =>
      forCache(cacheErrors.unusable, name, signal, async () => {
        const found = await Promise.all(documentKeys.map((key) => readDocument(place, key, signal)))
        const documents = found.flatMap((one) => (one?.kind === 'cache' ? [one.document] : []))
        const damaged = found.find((one) => one?.kind === 'damaged')
        if (damaged?.kind === 'damaged' && documents.length === 0) throw new ServiceError(damaged.problem)
        const foreign = found.some((one) => one?.kind === 'buildkit') ? 'buildkit' : undefined
        return { documents, foreign }
      }),
    openBlob: (descriptor, options) =>
      downloadBlob(
        name,
        descriptor,
        async (offset, signal = new AbortController().signal) =>
          (await store.get(place.blobKey(descriptor.digest), offset, signal))?.body,
        options,
      ),
    async [Symbol.asyncDispose]() {},
  }
}

export function objectExporter(place: ObjectPlace): CacheExporter {
  const { name, documentKeys } = place
  return {
    name,
    save: (document, open, options) =>
      forCache(cacheErrors.notExported, name, options.signal, async (): Promise<CacheExport> => {
        // What belongs to somebody else is found before anything is sent.
        for (const key of documentKeys) await readToMerge(place, key, options.signal)
        const counts = await sendBlobs({ pushBlob: blobPusher(place) }, document, open, options)
        let records = 0
        for (const key of documentKeys) records = await addDocument(place, key, document, options.signal)
        return { ...counts, records }
      }),
    async [Symbol.asyncDispose]() {},
  }
}

/** A blob counts as there when an object has its name and size: whoever reads it compares the digest. */
function blobPusher({ store, blobKey, touchAfterMs, now }: ObjectPlace): Parameters<typeof sendBlobs>[0]['pushBlob'] {
  return async (descriptor, open, { signal = new AbortController().signal, onProgress } = {}) => {
    const { digest, size } = descriptor
    const key = blobKey(digest)
    const there = await store.stat(key, signal)
    if (there?.size === size) {
      if (touchAfterMs !== undefined && now() - there.modified > touchAfterMs) await store.touch?.(key, size, signal)
      return 'exists'
    }
    async function* reported() {
      let transferred = 0
      for await (const chunk of verified(open(0), descriptor)) {
        yield chunk
        transferred += chunk.length
        onProgress?.({ descriptor, transferred })
      }
    }
    await store.upload(key, size, reported(), signal)
    return 'uploaded'
  }
}

type FoundDocument =
  | { readonly kind: 'cache'; readonly etag: string; readonly document: CacheDocument }
  /** Ours, and no document. */
  | { readonly kind: 'damaged'; readonly etag: string; readonly problem: string }
  | { readonly kind: 'buildkit' }

/** undefined: there is nothing. @throws ServiceError when there is something else */
async function readDocument(
  { store, codec }: ObjectPlace,
  key: string,
  signal: AbortSignal,
): Promise<FoundDocument | undefined> {
  const read = await readWhole(() => store.get(key, 0, signal), MAX_DOCUMENT_BYTES, signal)
  if (read === undefined) return undefined
  const { etag, mediaType } = read.found
  const { bytes } = read
  const ours = DOCUMENT_TYPES.some((type) => type === mediaType)
  if (bytes === undefined) {
    const problem = `${key} has more than ${MAX_DOCUMENT_BYTES} bytes`
    if (ours) return { kind: 'damaged', etag, problem }
    throw new ServiceError(problem)
  }
  try {
    return { kind: 'cache', etag, document: codec.decode(bytes) }
  } catch (error) {
    if (!(error instanceof schema.SchemaProblem)) throw error
    if (ours) return { kind: 'damaged', etag, problem: `${key}: ${error.message}` }
    if (isBuildKits(bytes)) return { kind: 'buildkit' }
    throw new ServiceError(`${key} is no cache: ${error.message}`)
  }
}

/** BuildKit's document has records too, but says nothing of the version of keys. */
function isBuildKits(bytes: Buffer): boolean {
  const lists = schema.optional(schema.list(schema.anything, 'entries'))
  try {
    const { layers, records } = schema.parseDocument(
      bytes,
      schema.object<{ layers: unknown; records: unknown }>({ layers: lists, records: lists }),
    )
    return layers !== undefined || records !== undefined
  } catch {
    return false
  }
}

/** What is there of ours. @throws BuildError CACHE_NOT_EXPORTED when it is somebody else's */
async function readToMerge(place: ObjectPlace, key: string, signal: AbortSignal) {
  const found = await readDocument(place, key, signal)
  if (found?.kind !== 'buildkit') return found
  throw cacheErrors.notExported([place.name, `${key} is a cache of BuildKit, which is left as it is`], {
    hint: 'give the cache another name',
  })
}

/**
 * Adds a document to the one that is there. It is written on the condition that what was read is still there. Where a
 * server does not look at conditions, whoever has read before and writes later is noticed a moment afterwards, and what
 * was lost is added again. Returns how many records are there.
 */
async function addDocument(
  place: ObjectPlace,
  key: string,
  document: CacheDocument,
  signal: AbortSignal,
): Promise<number> {
  const { name, store, codec } = place
  for (let round = 0; round < ROUNDS; round++) {
    const found = await readToMerge(place, key, signal)
    const there = found?.kind === 'cache' ? found.document : EMPTY_DOCUMENT
    const wanted = documentToWrite(there, document)
    if (found?.kind === 'cache' && serializeDocument(there).equals(serializeDocument(wanted)))
      return wanted.records.length
    const condition: WriteCondition = found === undefined ? 'absent' : { etag: found.etag }
    const etag = await store.put(key, codec.encode(wanted), codec.mediaType, condition, signal)
    if (etag === undefined) {
      await pauseAbout(COLLISION_MS, signal)
      continue
    }
    if (store.conditional) return wanted.records.length
    await pauseAbout(SETTLE_MS, signal)
    if ((await store.stat(key, signal))?.etag === etag) return wanted.records.length
  }
  throw cacheErrors.notExported([name, 'others keep writing there'])
}
