/**
 * A cache in the cache service of GitHub Actions. Its indexes are numbered, since entries cannot be changed: who adds to one
 * writes the next number, and whoever finds that taken waits for it, and adds to that. Each ref has indexes of its own, and
 * a job reads those of all refs that its token names.
 */
import { randomBytes } from 'node:crypto'
import { type Descriptor, digestOf, type OpenContent, schema, verified } from '@tsbuild/registry-client'
import pLimit from 'p-limit'
import type { CacheExport, CacheExporter, CacheImporter } from '../backend.ts'
import { type DocumentCodec, PLAIN } from '../codec.ts'
import { blobsOf, type CacheDocument, documentToWrite, EMPTY_DOCUMENT, MAX_DOCUMENT_BYTES } from '../document.ts'
import { cacheErrors, forCache } from '../errors.ts'
import type { ActionsService, FoundEntry } from '../services/actions-service.ts'
import { parseActionsToken } from '../services/actions-token.ts'
import { downloadBlob, readWhole } from '../services/download.ts'
import { pauseAbout } from '../services/object-store.ts'
import { ServiceError } from '../services/service-error.ts'
import { type ActionsIndex, type Pack, packsFor, packsOf, parseIndex, placesOf, serializeIndex } from './gha-index.ts'

export interface ActionsPlace {
  /** See {@link CacheImporter.name}. */
  readonly name: string
  /** What the user calls the cache; several can stand side by side. */
  readonly scope: string
  readonly token: string
  readonly service: ActionsService
  readonly codec: DocumentCodec
  readonly now: () => number
  /** For how long one waits for an index that somebody else has begun. */
  readonly patienceMs: number
}

type SaveOptions = Parameters<CacheExporter['save']>[2]

/** Entries that are written, or asked for, at the same time. */
const CONCURRENCY = 4
/** How long one waits at most between two looks at an index that somebody else has begun. */
const LOOK_MS = 2000
const ROUNDS = 200

export function actionsImporter(place: ActionsPlace): CacheImporter {
  const { name } = place
  const entries = new Entries(place.service)
  let places: ReturnType<typeof placesOf> = new Map()
  return {
    name,
    repository: undefined,
    load: ({ signal }) =>
      forCache(cacheErrors.unusable, name, signal, async () => {
        const indexes = await readIndexes(place, signal)
        const known = indexes.flatMap((index) => (index.kind === 'index' ? [index] : []))
        const damaged = indexes.find((index) => index.kind === 'damaged')
        if (damaged?.kind === 'damaged' && known.length === 0) throw new ServiceError(damaged.problem)
        places = placesOf(known.flatMap(({ packs }) => packs))
        return { documents: known.map(({ document }) => document), foreign: undefined }
      }),
    openBlob: (descriptor, options) =>
      downloadBlob(
        name,
        descriptor,
        async (from, signal) => {
          const at = places.get(descriptor.digest)
          if (at === undefined) return undefined
          const start = at.blob.offset + from
          const end = at.blob.offset + descriptor.size
          return start >= end ? empty() : entries.read(at.key, start, end, signal)
        },
        options,
      ),
    async [Symbol.asyncDispose]() {},
  }
}

async function* empty(): AsyncGenerator<Buffer> {}

/** Entries by key, each asked for once. */
class Entries {
  readonly #service: ActionsService
  readonly #found = new Map<string, Promise<FoundEntry | undefined>>()

  constructor(service: ActionsService) {
    this.#service = service
  }

  /** undefined: it is not there. A signed address that has ended is asked for once more. */
  async read(key: string, start: number, end: number, signal: AbortSignal | undefined) {
    for (const again of [false, true]) {
      const entry = await this.find(key, signal ?? new AbortController().signal, again)
      if (entry === undefined) return undefined
      const body = await this.#service.read(entry, start, end, signal)
      if (body !== undefined) return body
    }
    return undefined
  }

  find(key: string, signal: AbortSignal, again = false): Promise<FoundEntry | undefined> {
    const known = again ? undefined : this.#found.get(key)
    if (known !== undefined) return known
    const asked = this.#service.find(key, signal).then((entry) => (entry?.key === key ? entry : undefined))
    this.#found.set(key, asked)
    asked.catch(() => this.#found.delete(key))
    return asked
  }
}

type FoundIndex =
  | ({ readonly kind: 'index'; readonly number: number } & ActionsIndex)
  | { readonly kind: 'damaged'; readonly number: number; readonly problem: string }

/** The newest index of each ref that the token may read. */
async function readIndexes(place: ActionsPlace, signal: AbortSignal): Promise<FoundIndex[]> {
  const { readable } = tokenOf(place)
  const found = await Promise.all(readable.map((ref) => readIndex(place, indexKey(place.scope, ref), signal)))
  return found.filter((index) => index !== undefined)
}

function tokenOf({ token, now }: ActionsPlace) {
  const parsed = parseActionsToken(token)
  if (parsed.expires !== undefined && parsed.expires * 1000 < now())
    throw new ServiceError('the token has ended: it counts for the job that it was made for')
  return parsed
}

function indexKey(scope: string, ref: string): string {
  return `tsbuild-index-${scope}-1-${digestOf(ref).slice('sha256:'.length, 'sha256:'.length + 8)}`
}

async function readIndex(
  { service, codec }: ActionsPlace,
  key: string,
  signal: AbortSignal,
): Promise<FoundIndex | undefined> {
  let entry: FoundEntry | undefined
  const open = async () => {
    entry = await service.find(`${key}#`, signal)
    const body = entry && (await service.read(entry, 0, undefined, signal))
    return body && { body }
  }
  let read = await readWhole(open, MAX_DOCUMENT_BYTES, signal)
  // Its address had ended, or it was deleted just then.
  if (read === undefined && entry !== undefined) read = await readWhole(open, MAX_DOCUMENT_BYTES, signal)
  if (read === undefined || entry === undefined) return undefined
  const number = Number(/#(\d{1,9})$/.exec(entry.key)?.[1] ?? 0)
  try {
    if (read.bytes === undefined) throw new schema.SchemaProblem(`more than ${MAX_DOCUMENT_BYTES} bytes`)
    return { kind: 'index', number, ...parseIndex(read.bytes, codec) }
  } catch (error) {
    if (!(error instanceof schema.SchemaProblem)) throw error
    return { kind: 'damaged', number, problem: `the index ${entry.key} is none: ${error.message}` }
  }
}

export function actionsExporter(place: ActionsPlace): CacheExporter {
  const { name } = place
  return {
    name,
    save: (document, open, options) =>
      forCache(cacheErrors.notExported, name, options.signal, async (): Promise<CacheExport> => {
        const { writable } = tokenOf(place)
        if (writable === undefined) throw new ServiceError('the token of the job may only read')
        const { packs, ...counts } = await sendPacks(place, document, open, options)
        const key = indexKey(place.scope, writable)
        return { ...counts, records: await addIndex(place, key, { packs, document }, options.signal) }
      }),
    async [Symbol.asyncDispose]() {},
  }
}

/** Makes sure that there are packs with the blobs of a document; what an index names, and is there, is not sent. */
async function sendPacks(
  place: ActionsPlace,
  document: CacheDocument,
  open: (descriptor: Descriptor) => OpenContent,
  options: SaveOptions,
): Promise<Pick<CacheExport, 'sent' | 'present'> & { readonly packs: readonly Pack[] }> {
  const failure = new AbortController()
  const signal = AbortSignal.any([options.signal, failure.signal])
  const limit = pLimit(CONCURRENCY)
  const each = async <T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> => {
    const all = items.map((item) =>
      limit(async () => {
        signal.throwIfAborted()
        return work(item)
      }).catch((error: unknown) => {
        failure.abort(error)
        throw error
      }),
    )
    await Promise.allSettled(all)
    options.signal.throwIfAborted()
    if (failure.signal.aborted) throw failure.signal.reason
    return Promise.all(all)
  }
  const indexes = await readIndexes(place, signal)
  const listed = packsFor(
    document,
    indexes.flatMap((index) => (index.kind === 'index' ? index.packs : [])),
  )
  const entries = new Entries(place.service)
  const alive = await each(listed, async ({ key }) => (await entries.find(key, signal)) !== undefined)
  const there = listed.filter((_, i) => alive[i])
  const places = placesOf(there)
  const blobs = blobsOf(document).map(({ descriptor }) => descriptor)
  const descriptors = new Map(blobs.map((descriptor) => [descriptor.digest as string, descriptor]))
  const fresh = packsOf(blobs.filter(({ digest }) => !places.has(digest)))
  const sent = { blobs: 0, size: 0 }
  const written = await each(fresh, async (pack) => {
    const size = pack.blobs.reduce((sum, blob) => sum + blob.size, 0)
    async function* content() {
      for (const { digest } of pack.blobs) {
        const descriptor = descriptors.get(digest)!
        let current = 0
        for await (const chunk of verified(open(descriptor)(0), descriptor)) {
          signal.throwIfAborted()
          yield chunk
          current += chunk.length
          options.onProgress(`sending ${digest}`, current, descriptor.size)
        }
      }
    }
    let key = pack.key
    while (!(await place.service.write(key, size, content, signal))) {
      // Taken by the same blobs, unless whoever began it did not finish.
      if ((await entries.find(key, signal, true)) !== undefined) return { ...pack, key }
      key = `${pack.key}-${randomBytes(4).toString('hex')}`
    }
    sent.blobs += pack.blobs.length
    sent.size += size
    return { ...pack, key }
  })
  const total = blobs.reduce((sum, { size }) => sum + size, 0)
  const present = { blobs: blobs.length - sent.blobs, size: total - sent.size }
  return { sent, present, packs: [...written, ...there] }
}

/** Adds to the newest index of a ref. Returns how many records are there. */
async function addIndex(place: ActionsPlace, key: string, own: ActionsIndex, signal: AbortSignal): Promise<number> {
  const { name, service, codec } = place
  /** An index that somebody began to write and did not finish is left out. */
  let from = 1
  let newest = 0
  let waited = 0
  for (let round = 0; round < ROUNDS; round++) {
    const found = await readIndex(place, key, signal)
    const there = found?.kind === 'index' ? found : { packs: [], document: EMPTY_DOCUMENT }
    const document = documentToWrite(there.document, own.document)
    const index = { packs: packsFor(document, [...own.packs, ...there.packs]), document }
    if (found?.kind === 'index' && serializeIndex(found, PLAIN).equals(serializeIndex(index, PLAIN)))
      return document.records.length
    if ((found?.number ?? 0) > newest) waited = 0
    newest = found?.number ?? 0
    const bytes = serializeIndex(index, codec)
    const number = Math.max(newest + 1, from)
    if (await service.write(`${key}#${number}`, bytes.length, () => once(bytes), signal)) {
      const last = await service.find(`${key}#`, signal)
      if (last === undefined || Number(/#(\d{1,9})$/.exec(last.key)?.[1] ?? 0) <= number) return document.records.length
      continue
    }
    if (waited >= place.patienceMs) {
      from = number + 1
      waited = 0
      continue
    }
    const look = Math.min(LOOK_MS, 250 * 2 ** (waited / 1000))
    waited += look
    await pauseAbout(look, signal)
  }
  throw cacheErrors.notExported([name, 'others keep writing there'])
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}
