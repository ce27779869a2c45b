/**
 * Root filesystems as trees of files without their contents: made of the indexes of their layers, which are kept in the
 * store by diffID and made again from the blobs when they are gone. Nothing is unpacked.
 */
import { createHash, type Hash } from 'node:crypto'
import type { Layer } from '../graph/layer.ts'
import { applyIndex, mergeLayer } from '../layer/apply-index.ts'
import { type Directory, emptyRoot } from '../layer/file-tree.ts'
import { decodeIndex, encodeIndex, INDEX_VERSION, indexLayer, indexOf, type LayerIndex } from '../layer/layer-index.ts'
import { type ReadPiece, readLayer } from '../layer/read-layer.ts'
import type { Store } from '../store/store.ts'
import type { ContentFile } from '../util/content.ts'
import type { LayerContent } from './file/layer-source.ts'
import type { Spool } from './file/spool.ts'
import { blobOf, LayerStack } from './layer-stack.ts'
import type { LayerService } from './layers.ts'
import type { StackLayer } from './types.ts'

/** Most bytes of a stored index. */
const INDEX_LIMIT = 512 * 1024 * 1024

/** Own layers up to this size are read again sooner than an index is written and flushed; base layers may be far away. */
const SMALL = 1024 * 1024

export class LayerTrees {
  readonly #store: Store
  readonly #layers: LayerService
  readonly #signal: AbortSignal
  readonly #trees = new WeakMap<LayerStack, Promise<Directory | undefined>>()
  /** By diffID. */
  readonly #indexes = new Map<string, Promise<LayerIndex | undefined>>()
  /** What they are the indexes of. */
  readonly #layersOf = new WeakMap<LayerIndex, StackLayer>()

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
    if (parts.some(({ top }) => blobOf(top!) === undefined)) return undefined
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
    this.#layersOf.set(index, layer)
    return layer.alone ? mergeLayer(applyIndex(emptyRoot(), index), under) : applyIndex(under, index)
  }

  async #index(layer: StackLayer): Promise<LayerIndex | undefined> {
    if (layer.coming?.index) return layer.coming.index
    const blob = (await blobOf(layer))!
    const { diffID } = blob
    let work = this.#indexes.get(diffID)
    if (work === undefined) {
      work = this.#load(layer, blob)
      this.#indexes.set(diffID, work)
    }
    return await work
  }

  async #load(layer: StackLayer, blob: Layer): Promise<LayerIndex | undefined> {
    const { blobs, records } = this.#store
    const key = `${INDEX_VERSION} ${blob.diffID}`
    const known = await records.get<{ readonly digest: string }>('index', key)
    // One that is gone or damaged is made again.
    const bytes = known && (await blobs.read(known.digest, INDEX_LIMIT).catch(() => undefined))
    if (bytes) return indexOf(decodeIndex(bytes))
    const { descriptor, diffID } = blob
    const options = { diffID, signal: this.#signal }
    const entries = await this.#layers.reading(layer, async () =>
      indexLayer(blobs.open(descriptor.digest, this.#signal), descriptor.mediaType, options),
    )
    const isSoonRead = layer.source === undefined && descriptor.size < SMALL
    if (entries !== undefined && !isSoonRead) {
      const { digest } = await blobs.put(encodeIndex(entries))
      await records.put('index', key, { digest }, { blobs: [digest] })
    }
    return entries && indexOf(entries)
  }

  /**
   * Takes the contents of files out of their layers. Each is proved by the digest in the index, so the rest of a layer is
   * not read; one that is not what it should be is an error, or damage, that reading to the end tells.
   *
   * @param spool keeps nothing in memory
   */
  async extract(contents: Iterable<LayerContent>, spool: Spool): Promise<void> {
    const wanted = new Map<LayerIndex, Map<number, LayerContent[]>>()
    for (const content of contents) {
      const { layer, entry } = content.origin
      const inLayer = wanted.get(layer) ?? new Map<number, LayerContent[]>()
      inLayer.set(entry, [...(inLayer.get(entry) ?? []), content])
      wanted.set(layer, inLayer)
    }
    for (const [index, entries] of wanted) {
      const layer = this.#layersOf.get(index)!
      const { descriptor, diffID } = (await blobOf(layer))!
      await this.#layers.reading(layer, async () => {
        let at = 0
        let left = entries.size
        const stream = this.#store.blobs.open(descriptor.digest, this.#signal)
        await readLayer(stream, descriptor.mediaType, { diffID, signal: this.#signal }, async (_, read) => {
          const takers = entries.get(at++)
          if (takers === undefined) return undefined
          const digest = createHash('sha256')
          const { content } = await spool.add(pieces(read, digest))
          for (const taker of takers) taker.found = content as ContentFile
          if (digest.digest('hex') === index.digest(at - 1)) left--
          return left === 0 ? 'enough' : undefined
        })
      })
    }
  }
}

async function* pieces(read: ReadPiece, digest: Hash): AsyncGenerator<Buffer> {
  for (let piece = await read(); piece; piece = await read()) {
    digest.update(piece)
    yield piece
  }
}
