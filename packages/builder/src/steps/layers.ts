/**
 * Layers in their three forms, made from each other when needed: a blob in the store, a snapshot on disk, a source that
 * can be fetched. Everything is done once per layer and build.
 */
import { counted, type Descriptor, onceMore } from '@tsbuild/registry-client'
import { type BuildError, defineError } from '../errors.ts'
import type { Layer, LayerSource } from '../graph/layer.ts'
import { LAYER_TYPES, type PackedEntry, type PackOptions, packEntries, SMALL_LAYER } from '../layer/pack.ts'
import { readLayer } from '../layer/read-layer.ts'
import { recompressLayer } from '../layer/recompress.ts'
import type { SnapshotId } from '../snapshot/snapshotter.ts'
import type { Store } from '../store/store.ts'
import { isSystemError } from '../util/system-error.ts'
import { blobOf, type CompressionOptions, isAbsent, isOfBase, LayerStack } from './layer-stack.ts'
import type { StepCache } from './step-cache.ts'
import type { StackLayer } from './types.ts'
import type { Incomplete, PackResult, WorkerClient } from './worker-api.ts'

export const layerErrors = {
  layerLost: defineError({
    code: 'LAYER_LOST',
    doc: 'Another process deleted from the store what this build was using.',
    message: (name: string) => `the content of ${name} is no longer in the store`,
    hint: 'build again; do not delete files of the store by hand while a build runs',
  }),
  sharedLayerLost: defineError({
    code: 'CACHE_LAYER_LOST',
    doc: 'A layer of a shared cache cannot be had, or is not what the cache says it is. The build makes it again.',
    message: (layer: string, cache: string, problem: string) => `${layer} of cache ${cache} cannot be used: ${problem}`,
  }),
}

/** What layers are packed with while a build runs, before an output asks for something else. */
export const DEFAULT_COMPRESSION: CompressionOptions = { compression: 'gzip', level: undefined }

export interface LayerServiceOptions {
  readonly store: Store
  readonly cache: StepCache
  readonly worker: WorkerClient
  readonly signal: AbortSignal
  /** Told of a base image's layer whose files RUN and COPY do not see as they are. */
  readonly onIncomplete: (source: LayerSource | undefined, what: Incomplete) => void
  /** Shows a download as a piece of work of its own. */
  readonly task: <T>(
    title: string,
    work: (report: (item: string, current: number, total: number) => void) => Promise<T>,
  ) => Promise<T>
}

export class LayerService {
  readonly #options: LayerServiceOptions
  readonly #snapshots = new Map<SnapshotId, Promise<void>>()
  /** Stacks whose layers are all there. */
  readonly #ready = new WeakSet<LayerStack>()
  /** What this build has made: no blobs are known of it. */
  readonly #added = new Set<SnapshotId>()
  readonly #packed = new Map<SnapshotId, Promise<Layer>>()
  readonly #fetched = new Map<string, Promise<void>>()

  constructor(options: LayerServiceOptions) {
    this.#options = options
  }

  /** Makes sure that every layer of a stack is on disk as a snapshot; returns their ids, bottom first. */
  async snapshots(stack: LayerStack): Promise<SnapshotId[]> {
    if (!this.#ready.has(stack)) await this.#prepare(stack)
    return stack.snapshots()
  }

  async #prepare(stack: LayerStack): Promise<void> {
    const parts = stack.parts((part) => !this.#ready.has(part))
    this.refuseAbsent(parts.map(({ top }) => top!))
    const unknown = parts.map(({ top }) => top!.snapshot).filter((id) => !this.#snapshots.has(id))
    if (unknown.length > 0) {
      const { worker, signal } = this.#options
      const present = await worker.call('snapshot.has', { ids: unknown }, { signal })
      unknown.forEach((id, i) => {
        if (present[i] && !this.#snapshots.has(id)) this.#snapshots.set(id, Promise.resolve())
      })
      // Downloads overlap; unpacking goes from bottom to top.
      const missing = parts.map(({ top }) => top!).filter((l) => !this.#snapshots.has(l.snapshot))
      await Promise.all(missing.map((l) => this.stored(l)))
    }
    for (const { top, below } of parts) {
      let work = this.#snapshots.get(top!.snapshot)
      if (work === undefined) {
        work = this.#unpack(top!, top!.alone ? [] : below!.snapshots())
        this.#snapshots.set(top!.snapshot, work)
      }
      await work
    }
    for (const part of parts) this.#ready.add(part)
  }

  /** A snapshot that a step has just committed. */
  added(id: SnapshotId): void {
    this.#snapshots.set(id, Promise.resolve())
    this.#added.add(id)
  }

  /**
   * The blob of a stack's top layer: descriptor and diffID; made from the snapshot if there is none. It may still have
   * to be fetched: see {@link stored}.
   */
  blob(stack: LayerStack, options: CompressionOptions = DEFAULT_COMPRESSION): Promise<Layer> {
    const layer = stack.top!
    const name = blobName(layer.snapshot, options)
    const known = blobOf(layer)
    const knownName = blobName(layer.snapshot, layer.compression ?? DEFAULT_COMPRESSION)
    if (known && (isOfBase(layer) || name === knownName)) return Promise.resolve(known)
    let work = this.#packed.get(name)
    if (work === undefined) {
      work = this.#pack(stack, name, options)
      work.catch(() => undefined)
      this.#packed.set(name, work)
    }
    return work
  }

  /** Files are needed of layers: those that a shared cache knows by name only have to be made, all of them. */
  refuseAbsent(layers: readonly StackLayer[]): void {
    const [error] = layers.filter(isAbsent).map((layer) => this.#lost(layer))
    if (error !== undefined) throw error
  }

  /** Makes sure that a layer's blob is in the store, where it has one. */
  async stored(layer: StackLayer): Promise<void> {
    const blob = await blobOf(layer)
    if (blob) await this.#haveBlob(layer, blob)
  }

  async #unpack(layer: StackLayer, below: SnapshotId[]): Promise<void> {
    const { store, worker, signal } = this.#options
    const known = await blobOf(layer)
    if (known === undefined) throw this.#lost(layer)
    const { descriptor, diffID } = known
    const { digest, mediaType } = descriptor
    const params = { id: layer.snapshot, below, blob: store.blobs.path(digest), mediaType, diffID }
    const incomplete = await this.reading(layer, () => worker.call('layer.unpack', params, { signal }))
    if (incomplete) this.#options.onIncomplete(layer.source, incomplete)
  }

  /** Reads a layer's blob, which is fetched where it is not in the store, and again where it turns out to be damaged. */
  async reading<T>(layer: StackLayer, read: () => Promise<T>): Promise<T> {
    const { store, signal } = this.#options
    const blob = (await blobOf(layer))!
    const { digest } = blob.descriptor
    await this.#haveBlob(layer, blob)
    return await read().catch(async (error: unknown) => {
      if (signal.aborted || (await store.blobs.verify(digest, signal))) throw error
      this.#fetched.delete(fetchedAs(layer, blob))
      await this.#haveBlob(layer, blob)
      return await read()
    })
  }

  /** Makes sure that the top layer of a stack is on disk, whatever there is of those below. */
  async #present(stack: LayerStack): Promise<SnapshotId> {
    const { worker, signal } = this.#options
    const { snapshot: id, alone } = stack.top!
    const known = this.#snapshots.get(id)
    if (known !== undefined) await known
    else if ((await worker.call('snapshot.has', { ids: [id] }, { signal }))[0] !== true)
      await this.snapshots(alone ? LayerStack.of(stack.top!) : stack)
    return id
  }

  async #pack(stack: LayerStack, name: string, { compression, level }: CompressionOptions): Promise<Layer> {
    const { store, cache, worker, signal } = this.#options
    const known = this.#added.has(name) ? undefined : await cache.blob(name)
    if (known) return known
    const { top } = stack
    if (top) this.refuseAbsent([top])
    await using file = store.blobs.temporaryFile('layer')
    const made = top && (await blobOf(top))
    if (made) {
      const how = { compression, level, pieces: store.pieces, signal }
      const { descriptor, diffID } = made
      const packed = await this.reading(top!, async () =>
        recompressLayer(store.blobs.open(descriptor.digest, signal), { ...how, diffID }, file.path),
      )
      return await this.#keep(
        name,
        { ...packed, mediaType: LAYER_TYPES[compression], diffID, content: undefined },
        file.path,
      )
    }
    const id = await this.#present(stack)
    const packed = await worker.call('layer.pack', { id, out: file.path, compression, level }, { signal })
    return await this.#keep(name, packed, file.path)
  }

  /** Writes the blob of a new layer from its entries: no root filesystem has a part in it. @param id the layer's name */
  async write(
    id: SnapshotId,
    entries: Iterable<PackedEntry>,
    how: Pick<PackOptions, 'signal' | 'onProgress'>,
  ): Promise<Layer> {
    const { store } = this.#options
    await using file = store.blobs.temporaryFile('layer')
    const options = { ...DEFAULT_COMPRESSION, pieces: store.pieces, inMemory: SMALL_LAYER, ...how }
    return await this.#keep(id, await packEntries(entries, options, file.path), file.path)
  }

  /** Stores a packed layer and remembers it. */
  async #keep(
    name: string,
    { mediaType, digest, size, diffID, content, pieces }: PackResult,
    path: string,
  ): Promise<Layer> {
    const { store, cache, signal } = this.#options
    const descriptor = { mediaType, digest: digest as Descriptor['digest'], size }
    if (content === undefined) await store.blobs.adopt(path, descriptor)
    else await store.blobs.put(content, descriptor, signal)
    const blob: Layer = { descriptor, diffID }
    await cache.saveBlob(name, blob)
    if (pieces) await store.pieces.save(descriptor.digest, pieces)
    return blob
  }

  #haveBlob(layer: StackLayer, blob: Layer): Promise<void> {
    const key = fetchedAs(layer, blob)
    let work = this.#fetched.get(key)
    if (work === undefined) {
      work = this.#fetch(layer, blob)
      this.#fetched.set(key, work)
    }
    return work
  }

  async #fetch(layer: StackLayer, { descriptor, diffID }: Layer): Promise<void> {
    const { store, cache, signal } = this.#options
    const { source } = layer
    const isThere = await store.blobs.has(descriptor.digest)
    if (isThere && source?.kind !== 'cache') return
    if (source === undefined) throw this.#lost(layer)
    if (source.kind === 'image') return await this.#download(descriptor, source)
    const watched = new WatchedSource(source)
    try {
      if (!isThere) await this.#download(descriptor, watched)
      // Outputs hand on what nobody has unpacked.
      const content = store.blobs.open(descriptor.digest, signal)
      await readLayer(content, descriptor.mediaType, { diffID, signal }, async () => {})
    } catch (error) {
      // What this machine refuses is not the cache's fault.
      if (signal.aborted || (isSystemError(error) && error !== watched.failure)) throw error
      throw this.#lost(layer, error)
    }
    await cache.adopt(layer)
  }

  async #download(descriptor: Descriptor, source: Pick<LayerSource, 'name' | 'openBlob'>): Promise<void> {
    const { store, signal, task } = this.#options
    const { digest, size } = descriptor
    await task(`pull ${digest.slice(0, 19)} of ${source.name}`, async (report) => {
      // A chunk is written before the next one is asked for.
      const content = () =>
        counted(source.openBlob(descriptor, { signal, transient: true }), digest, (current) =>
          report(digest, current, size),
        )
      await onceMore(() => store.blobs.put(content(), { digest, size }, signal))
    })
  }

  #lost({ snapshot, known, source }: StackLayer, problem?: unknown): BuildError {
    const name = known?.descriptor.digest ?? snapshot
    if (source?.kind !== 'cache') return layerErrors.layerLost([name])
    this.#options.cache.distrust(snapshot)
    const why = problem instanceof Error ? problem.message : 'it is not there'
    return layerErrors.sharedLayerLost([name, source.name, why], { cause: problem })
  }
}

/** Tells what a source failed with from what the store did. */
class WatchedSource implements Pick<LayerSource, 'name' | 'openBlob'> {
  readonly name: string
  failure: unknown
  readonly #source: LayerSource

  constructor(source: LayerSource) {
    this.name = source.name
    this.#source = source
  }

  async *openBlob(...call: Parameters<LayerSource['openBlob']>): AsyncGenerator<Buffer> {
    try {
      yield* this.#source.openBlob(...call)
    } catch (error) {
      this.failure = error
      throw error
    }
  }
}

/** What is fetched once. What a shared cache says of a blob may be true of one layer and not of another. */
function fetchedAs({ source, snapshot }: StackLayer, { descriptor }: Layer): string {
  return source?.kind === 'cache' ? `${descriptor.digest} as ${snapshot}` : descriptor.digest
}

/** The name under which a layer's blob is remembered: the snapshot's, and how it is compressed unless as usual. */
function blobName(id: SnapshotId, { compression, level }: CompressionOptions): string {
  return compression === 'gzip' && level === undefined ? id : `${id} ${compression} ${level ?? ''}`
}
