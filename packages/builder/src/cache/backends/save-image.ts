/** Adding a document to a cache that is an image, while others do the same. */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Descriptor,
  digestOf,
  isRegistryError,
  type OpenContent,
  type Source,
  type Target,
} from '@tsbuild/registry-client'
import { snapshotName } from '../../graph/key.ts'
import type { CacheExport, CacheExporter } from '../backend.ts'
import type { DocumentCodec } from '../codec.ts'
import {
  blobsOf,
  type CacheDocument,
  documentToWrite,
  EMPTY_DOCUMENT,
  serializeDocument,
  withBlobs,
} from '../document.ts'
import { cacheErrors } from '../errors.ts'
import { type Found, type ImageForm, readForm, writeForm } from './image-form.ts'
import { sendBlobs } from './send-blobs.ts'

/** Where a cache is written. */
export interface ImagePlace {
  /** See {@link CacheExporter.name}. */
  readonly name: string
  readonly target: Source & Target
  readonly tag: string
  readonly form: ImageForm
  readonly codec: DocumentCodec
  /** What is there is replaced, not added to. */
  readonly replace: boolean
  /**
   * How long a name has to stay as it is until nobody can be left who read it before; undefined: nobody else writes
   * there meanwhile. See {@link saveImage}.
   */
  readonly settleMs: number | undefined
}

type SaveOptions = Parameters<CacheExporter['save']>[2]

/** How often is tried to be the last one who writes, and how often others may add to what is there before it counts. */
const MAX_ROUNDS = 100
const MAX_ADDITIONS = 10

/**
 * Saves a document (see {@link CacheExporter.save}).
 *
 * A name in a registry cannot be changed on a condition. So one is read, merged with, compared again and written at once,
 * and then watched: whoever read the name before that writes it within moments, without our records. When it has been the
 * same for longer than anybody is between comparing and writing, everybody who writes later has read it with our records,
 * and writes them too. Otherwise they are added again. What this rests on is that a registry shows a name as it was
 * written last, and that a comparison and a write take less than `settleMs`; where they take longer, records of others
 * that were written just then can be lost, which costs a later build the steps.
 */
export async function saveImage(
  place: ImagePlace,
  document: CacheDocument,
  open: (descriptor: Descriptor) => OpenContent,
  options: SaveOptions,
): Promise<CacheExport> {
  const { signal } = options
  let found = await readOwn(place, signal)
  const counts = await sendBlobs(place.target, document, open, options)
  const writer = new ImageWriter(place, document, signal)
  let replace = place.replace
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if (round > 0) found = await readOwn(place, signal)
    const there = found.kind === 'cache' ? found.document : EMPTY_DOCUMENT
    const wanted = writer.withoutLost(replace ? document : documentToWrite(there, document))
    if (found.kind === 'cache' && isEqual(there, wanted)) return { ...counts, records: wanted.records.length }
    const written = await writer.write(wanted, found, round)
    if (written === undefined) {
      await sleep(Math.random() * Math.min(1000, 50 * (round + 1)), undefined, { signal })
      continue
    }
    replace = false
    if (place.settleMs === undefined || (await stays(place, written, document, signal)))
      return { ...counts, records: wanted.records.length }
  }
  throw cacheErrors.notExported([place.name, 'others keep writing there'])
}

/** What is there of ours. Others are left alone. */
async function readOwn(place: ImagePlace, signal: AbortSignal): Promise<Found & { kind: 'nothing' | 'cache' }> {
  const found = await readForm(place.target, place.tag, signal, 'empty', place.codec)
  if (found.kind === 'nothing' || found.kind === 'cache') return found
  const what = found.kind === 'buildkit' ? 'a cache of BuildKit' : 'an image'
  throw cacheErrors.notExported([place.name, `there is ${what}, which is left as it is`], {
    hint: 'name another tag for the cache',
  })
}

class ImageWriter {
  readonly #place: ImagePlace
  readonly #own: CacheDocument
  readonly #signal: AbortSignal
  /** Blobs that others named and the place has not any more. */
  readonly #lost = new Set<string>()

  constructor(place: ImagePlace, own: CacheDocument, signal: AbortSignal) {
    this.#place = place
    this.#own = own
    this.#signal = signal
  }

  withoutLost(document: CacheDocument): CacheDocument {
    if (this.#lost.size === 0) return document
    return withBlobs(document, (digest) => !this.#lost.has(digest))
  }

  /** @returns the digest of the manifest; undefined when it is to be tried again, in the next round */
  async write(wanted: CacheDocument, before: Found, round: number): Promise<string | undefined> {
    const { target, tag, form, codec, settleMs } = this.#place
    const signal = this.#signal
    const document = codec.encode(wanted)
    // A registry takes no other content for a blob that it thinks it has.
    const again = before.kind === 'cache' && before.damaged === digestOf(document)
    const bytes = again ? Buffer.concat([document, Buffer.from('\n')]) : document
    const config: Descriptor = { mediaType: codec.mediaType, digest: digestOf(bytes), size: bytes.length }
    await target.pushBlob(config, (offset) => once(bytes.subarray(offset)), { signal })
    const manifest = writeForm(form, wanted, config)
    if (settleMs !== undefined) {
      const start = performance.now()
      const now = await currentDigest(this.#place, signal)
      if (now !== (before.kind === 'cache' ? before.digest : undefined)) return undefined
      // Too long ago; but where it always takes long, better so than not at all.
      if (performance.now() - start > (settleMs / 2) * (round + 1)) return undefined
    }
    try {
      return (await target.pushManifest(manifest, form.mediaType, { tags: [tag], signal })).digest
    } catch (error) {
      if (isBlobUnknown(error) && (await this.#findLost(wanted))) return undefined
      throw error
    }
  }

  async #findLost(document: CacheDocument): Promise<boolean> {
    const own = new Set(blobsOf(this.#own).map(({ descriptor }) => descriptor.digest))
    const before = this.#lost.size
    for (const { descriptor } of blobsOf(document)) {
      if (own.has(descriptor.digest)) continue
      if (!(await this.#place.target.hasBlob(descriptor, { signal: this.#signal }))) this.#lost.add(descriptor.digest)
    }
    return this.#lost.size > before
  }
}

/** Watches the name until it has been the same for long enough. @returns false when our records are gone */
async function stays(place: ImagePlace, written: string, own: CacheDocument, signal: AbortSignal): Promise<boolean> {
  let seen = written
  for (let additions = 0; additions < MAX_ADDITIONS; additions++) {
    await sleep(place.settleMs! * (1 + Math.random() / 2), undefined, { signal })
    const now = await currentDigest(place, signal)
    if (now === seen) return true
    const found = await readForm(place.target, place.tag, signal, 'empty', place.codec)
    if (found.kind !== 'cache' || !hasAll(found.document, own)) return false
    seen = found.digest
  }
  return true
}

function hasAll(document: CacheDocument, own: CacheDocument): boolean {
  const names = new Set(document.records.map(snapshotName))
  const mounts = new Map((document.mounts ?? []).map(({ key, created }) => [key, created]))
  return (
    own.records.every((record) => names.has(snapshotName(record))) &&
    (own.mounts ?? []).every(({ key, created }) => (mounts.get(key) ?? -1) >= created)
  )
}

function isEqual(a: CacheDocument, b: CacheDocument): boolean {
  return serializeDocument(a).equals(serializeDocument(b))
}

async function currentDigest({ target, tag }: ImagePlace, signal: AbortSignal): Promise<string | undefined> {
  try {
    return (await target.resolve(tag, { signal })).digest
  } catch (error) {
    if (isRegistryError(error, 'NOT_FOUND')) return undefined
    throw error
  }
}

function isBlobUnknown(error: unknown): boolean {
  if (!isRegistryError(error)) return false
  return error.registryErrors.some(({ code }) => code === 'MANIFEST_BLOB_UNKNOWN' || code === 'BLOB_UNKNOWN')
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
