/**
 * The shared caches that a build looks into. They are asked once, all at the same time, as soon as the build begins;
 * whoever looks something up waits for that. What they say is believed until it proves wrong: then it is not offered
 * again.
 */
import type { Descriptor } from '@tsbuild/registry-client'
import { BuildError } from '../errors.ts'
import { snapshotName } from '../graph/key.ts'
import type { LayerSource } from '../graph/layer.ts'
import type { CacheImporter } from './backend.ts'
import { type Compression, parseCompression } from './compression.ts'
import { blobsOf, type CacheDocument, type CacheRecord, EMPTY_DOCUMENT, mergeDocuments } from './document.ts'
import { cacheErrors } from './errors.ts'
import type { SharedMount } from './mounts.ts'

/** A result of a step, as a cache knows it. Times are milliseconds. */
export interface SharedRecord extends Omit<CacheRecord, 'compression'> {
  /** How the layer is compressed, where not as usual. */
  readonly compression: Compression | undefined
  readonly source: LayerSource
}

/** What became of one cache. */
export interface CacheImport {
  /** `registry example.com/app:cache` */
  readonly name: string
  /** Results that it knows. */
  readonly records: number
  /** Results of it that the build used. */
  readonly hits: number
  /** What had to be downloaded. Sizes are bytes. */
  readonly fetched: { readonly blobs: number; readonly size: number }
  /** Cache mounts that were filled from it, by their ids, and what had to be downloaded for them. */
  readonly mounts: { readonly ids: readonly string[]; readonly blobs: number; readonly size: number }
  /** Why it was not used. */
  readonly problem: string | undefined
}

/** What a cache knows of a cache mount. */
export interface MountedContent {
  readonly mount: SharedMount
  /** See {@link CacheImport.name}. */
  readonly cache: string
  /** A chunk, like `CacheImporter.openBlob`. */
  open(chunk: Descriptor, signal: AbortSignal): AsyncIterable<Buffer>
  /** Called when the mount was filled with it. */
  used(): void
}

export interface SharedCachesOptions {
  readonly signal: AbortSignal
  /** Shows the import of one cache as a piece of work of its own. */
  readonly task: <T>(title: string, work: () => Promise<T>) => Promise<T>
  readonly warn: (message: string) => void
}

/** More layers than this that one cache does not give, and nothing is fetched from it any more. */
const PATIENCE = 1

export class SharedCaches implements AsyncDisposable {
  readonly #caches: readonly OneCache[]
  readonly #end = new AbortController()
  readonly #loaded: Promise<void>
  /** Snapshots that proved not to be there, or other than they should be. */
  readonly #distrusted = new Set<string>()
  /** Caches whose fingerprints are not believed any more. */
  readonly #liars = new Set<LayerSource>()

  /** Begins to ask the caches. */
  constructor(
    importers: readonly { readonly importer: CacheImporter; readonly mounts: boolean }[],
    options: SharedCachesOptions,
  ) {
    const signal = AbortSignal.any([options.signal, this.#end.signal])
    this.#caches = importers.map(({ importer, mounts }) => new OneCache(importer, mounts))
    this.#loaded = Promise.all(this.#caches.map((cache) => cache.load({ ...options, signal }))).then(() => undefined)
    // Whoever waits is told.
    this.#loaded.catch(() => undefined)
  }

  /** The usable results of a key, the latest first: what stands on it was made with that one. */
  async results(key: string): Promise<SharedRecord[]> {
    await this.#loaded
    const found = this.#caches.flatMap((cache) => cache.results(key))
    return found
      .filter((record) => !this.#distrusted.has(snapshotName(record)))
      .sort((a, b) => b.created - a.created || Number(b.layer !== undefined) - Number(a.layer !== undefined))
  }

  /** What each cache says of the same files. */
  async fingerprints(key: string): Promise<{ readonly digest: string; readonly source: LayerSource }[]> {
    await this.#loaded
    return this.#caches.flatMap(({ source, document }) => {
      const digest = this.#liars.has(source) ? undefined : document.fingerprints.get(key)
      return digest === undefined ? [] : [{ digest, source }]
    })
  }

  /** A cache has said something of files that is not so. */
  distrustFingerprints(source: LayerSource): void {
    this.#liars.add(source)
  }

  /** What the caches have of a cache mount, the latest first. */
  async mountContents(key: string): Promise<MountedContent[]> {
    await this.#loaded
    const found = this.#caches.flatMap((cache) => cache.mountContent(key) ?? [])
    return found.sort((a, b) => b.mount.created - a.mount.created)
  }

  used(snapshot: string): void {
    for (const cache of this.#caches) cache.used(snapshot)
  }

  distrust(snapshot: string): void {
    this.#distrusted.add(snapshot)
    for (const cache of this.#caches) cache.disappointed(snapshot)
  }

  /** Repositories in whose registry a blob can be mounted, as far as it is known by now. */
  repositoriesOf(digest: string): string[] {
    return this.#caches.flatMap((cache) => (cache.blobs.has(digest) ? (cache.source.repository ?? []) : []))
  }

  summary(): CacheImport[] {
    return this.#caches.map((cache) => cache.summary(this.#distrusted))
  }

  /** Ends what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort()
    await this.#loaded.catch(() => undefined)
  }
}

/** One cache, and what it is used for. */
class OneCache {
  readonly source: LayerSource
  document: CacheDocument = EMPTY_DOCUMENT
  /** Digests of its blobs. */
  blobs: ReadonlySet<string> = new Set()
  readonly #importer: CacheImporter
  readonly #byKey = new Map<string, SharedRecord[]>()
  #snapshots: ReadonlyMap<string, CacheRecord> = new Map()
  readonly #used = new Set<string>()
  #failed = 0
  #fetched = { blobs: 0, size: 0 }
  readonly #withMounts: boolean
  readonly #filled = new Set<string>()
  #fetchedChunks = { blobs: 0, size: 0 }
  #problem: string | undefined

  constructor(importer: CacheImporter, withMounts: boolean) {
    this.#withMounts = withMounts
    const { name, repository } = importer
    this.#importer = importer
    this.source = { kind: 'cache', name, repository, openBlob: (...call) => this.#openBlob(...call) }
  }

  /** Never a reason to fail: without the cache the build takes longer. */
  async load({ signal, task, warn }: SharedCachesOptions): Promise<void> {
    const { name } = this.#importer
    await task(`importing cache manifest from ${name.replace(/^registry /, '')}`, async () => {
      try {
        const { documents, foreign } = await this.#importer.load({ signal })
        this.#take(mergeDocuments(...documents))
        if (foreign !== undefined) throw cacheErrors.unusable([name, 'BuildKit wrote it, whose keys are other ones'])
      } catch (error) {
        // Nobody wants to know any more.
        if (signal.aborted) return
        const known = error instanceof BuildError ? error : cacheErrors.unusable([name, String(error)])
        this.#problem = known.message
        warn(known.message)
      }
    })
  }

  #take(document: CacheDocument): void {
    this.document = document
    this.blobs = new Set(blobsOf(document).map(({ descriptor }) => descriptor.digest))
    this.#snapshots = new Map(document.records.map((record) => [snapshotName(record), record]))
    for (const record of document.records) {
      const shared = { ...record, compression: parseCompression(record.compression), source: this.source }
      this.#byKey.set(record.key, [...(this.#byKey.get(record.key) ?? []), shared])
    }
  }

  results(key: string): SharedRecord[] {
    const found = this.#byKey.get(key) ?? []
    return this.#failed > PATIENCE ? found.map((record) => ({ ...record, layer: undefined })) : found
  }

  used(snapshot: string): void {
    if (this.#snapshots.has(snapshot)) this.#used.add(snapshot)
  }

  disappointed(snapshot: string): void {
    if (this.#snapshots.get(snapshot)?.layer !== undefined) this.#failed++
  }

  summary(distrusted: ReadonlySet<string>): CacheImport {
    const hits = [...this.#used].filter((snapshot) => !distrusted.has(snapshot)).length
    const records = this.document.records.length
    return {
      name: this.source.name,
      records,
      hits,
      fetched: this.#fetched,
      mounts: { ids: [...this.#filled].sort(), ...this.#fetchedChunks },
      problem: this.#problem,
    }
  }

  mountContent(key: string): MountedContent | undefined {
    const mount = this.#withMounts ? this.document.mounts?.find((one) => one.key === key) : undefined
    if (mount === undefined) return undefined
    const open = async function* (this: OneCache, chunk: Descriptor, signal: AbortSignal) {
      yield* this.#importer.openBlob(chunk, { signal })
      this.#fetchedChunks = counted(this.#fetchedChunks, chunk)
    }
    return { mount, cache: this.source.name, open: open.bind(this), used: () => void this.#filled.add(mount.id) }
  }

  async *#openBlob(...[descriptor, options]: Parameters<LayerSource['openBlob']>): AsyncGenerator<Buffer> {
    yield* this.#importer.openBlob(descriptor, options)
    this.#fetched = counted(this.#fetched, descriptor)
  }
}

function counted(before: { readonly blobs: number; readonly size: number }, { size }: Descriptor) {
  return { blobs: before.blobs + 1, size: before.size + size }
}
