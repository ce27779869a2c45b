/**
 * Root filesystems as trees of files without their contents: made of the indexes of their layers, which are kept in the
 * store by diffID and made again from the blobs when they are gone. Nothing is unpacked.
 */
import type { Layer } from '../graph/layer.ts'
import { applyIndex, mergeLayer } from '../layer/apply-index.ts'
import { type Directory, emptyRoot } from '../layer/file-tree.ts'
import { decodeIndex, encodeIndex, INDEX_VERSION, type IndexedEntry, indexLayer } from '../layer/layer-index.ts'
import { readLayer } from '../layer/read-layer.ts'
import type { Store } from '../store/store.ts'
import type { ContentFile } from '../util/content.ts'
import type { LayerContent } from './file/layer-source.ts'
import type { Spool } from './file/spool.ts'
import { LayerStack } from './layer-stack.ts'
import type { LayerService } from './layers.ts'
import type { StackLayer } from './types.ts'

/** Most bytes of a stored index. */
const INDEX_LIMIT = 512 * 1024 * 1024

/** Own layers up to this size are read again sooner than an index is written and flushed; base layers may be far away. */
const SMALL = 1024 * 1024

type Index = readonly IndexedEntry[] | undefined

/** A layer that can be read, and where it stands. */
interface Readable {
  readonly layer: StackLayer
  readonly blob: Layer
}

export class LayerTrees {
  readonly #store: Store
  readonly #layers: LayerService
  readonly #signal: AbortSignal
  readonly #trees = new WeakMap<LayerStack, Promise<Directory | undefined>>()
  readonly #indexes = new Map<string, Promise<Index>>()
  /** By diffID. */
  readonly #readable = new Map<string, Readable>()

  constructor(store: Store, layers: LayerService, signal: AbortSignal) {
    this.#store = store
    this.#layers = layers
    this.#signal = signal
    this.#trees.set(LayerStack.empty, Promise.resolve(emptyRoot()))
  }

  /** The files of a stack; undefined when a layer is only there as a snapshot, or is too big to be looked at so. */
  async tree(stack: LayerStack): Promise<Directory | undefined> {
    const parts = stack.parts((each) => !this.#trees.has(each))
    this.#layers.refuseAbsent(parts.map(({ top }) => top!))
    if (parts.some(({ top }) => top!.known === undefined)) return undefined
    // From the bottom, without recursion: stacks are as deep as Dockerfiles are long.
    let tree: Promise<Directory | undefined> = this.#trees.get(LayerStack.empty)!
    for (const part of parts) {
      tree = this.#onTop(part, this.#trees.get(part.below!) ?? tree)
      tree.catch(() => undefined)
      this.#trees.set(part, tree)
    }
    return await (this.#trees.get(stack) ?? tree)
  }

  async #onTop(stack: LayerStack, below: Promise<Directory | undefined>): Promise<Directory | undefined> {
    const layer = stack.top!
    const [under, index] = await Promise.all([below, this.#index(layer)])
    if (under === undefined || index === undefined) return undefined
    const { blob, entries } = index
    if (!layer.alone) return applyIndex(under, entries, blob.diffID)
    return mergeLayer(applyIndex(emptyRoot(), entries, blob.diffID), under)
  }

  async #index(layer: StackLayer): Promise<{ blob: Layer; entries: readonly IndexedEntry[] } | undefined> {
    const blob = layer.known
    if (blob === undefined) return undefined
    const { diffID } = blob
    this.#readable.set(diffID, { layer, blob })
    let work = this.#indexes.get(diffID)
    if (work === undefined) {
      work = this.#load(layer, blob)
      this.#indexes.set(diffID, work)
    }
    const entries = await work
    return entries && { blob, entries }
  }

  async #load(layer: StackLayer, blob: Layer): Promise<Index> {
    const { blobs, records } = this.#store
    const key = `${INDEX_VERSION} ${blob.diffID}`
    const known = await records.get<{ readonly digest: string }>('index', key)
    // One that is gone or damaged is made again.
    const bytes = known && (await blobs.read(known.digest, INDEX_LIMIT).catch(() => undefined))
    if (bytes) return decodeIndex(bytes)
    const { descriptor, diffID } = blob
    const options = { diffID, signal: this.#signal }
    const entries = await this.#layers.reading(layer, async () =>
      indexLayer(blobs.open(descriptor.digest, this.#signal), descriptor.mediaType, options),
    )
    const isSoonRead = layer.source === undefined && descriptor.size < SMALL
    if (entries === undefined || isSoonRead) return entries
    const { digest } = await blobs.put(encodeIndex(entries))
    await records.put('index', key, { digest }, { blobs: [digest] })
    return entries
  }

  /** Takes the contents of files out of their layers. @param spool keeps nothing in memory */
  async extract(contents: Iterable<LayerContent>, spool: Spool): Promise<void> {
    const wanted = new Map<string, Map<number, LayerContent[]>>()
    for (const content of contents) {
      const { layer, entry } = content.origin
      const inLayer = wanted.get(layer) ?? new Map<number, LayerContent[]>()
      inLayer.set(entry, [...(inLayer.get(entry) ?? []), content])
      wanted.set(layer, inLayer)
    }
    for (const [diffID, entries] of wanted) {
      const { layer, blob } = this.#readable.get(diffID)!
      const { digest, mediaType } = blob.descriptor
      await this.#layers.reading(layer, async () => {
        let at = 0
        const stream = this.#store.blobs.open(digest, this.#signal)
        await readLayer(stream, mediaType, { diffID, signal: this.#signal }, async (_, read) => {
          const takers = entries.get(at++)
          if (takers === undefined) return
          const { content } = await spool.add(pieces(read))
          for (const taker of takers) taker.found = content as ContentFile
        })
      })
    }
  }
}

async function* pieces(read: () => Promise<Buffer | undefined>): AsyncGenerator<Buffer> {
  for (let piece = await read(); piece; piece = await read()) yield piece
}
