/**
 * The layer of file operations made in this process: decided over the indexes of the layers below, packed from where the
 * contents are. No worker, root filesystem or privilege has a part in it.
 */
import { availableParallelism } from 'node:os'
import pLimit from 'p-limit'
import type { Layer } from '../graph/layer.ts'
import { type Directory, emptyRoot, type Leaf } from '../layer/file-tree.ts'
import type { Store } from '../store/store.ts'
import { piecesOf } from '../util/content.ts'
import { readArchive } from './archive.ts'
import { DraftIndex } from './file/draft-index.ts'
import { draftFileOps, type OpenedOp } from './file/draft-ops.ts'
import { contentIn, LayerContent } from './file/layer-source.ts'
import { accountsOf } from './file/owner.ts'
import { entriesOf } from './file/pack-draft.ts'
import { Spool } from './file/spool.ts'
import type { LayerTrees } from './layer-trees.ts'
import type { LayerService } from './layers.ts'
import type { ComingLayer } from './types.ts'

export interface FileLayerServices {
  readonly store: Store
  readonly layers: LayerService
  readonly trees: LayerTrees
}

export interface FileLayer {
  /** Names the layer. */
  readonly id: string
  /** What it is made over; undefined: nothing. */
  readonly below: Directory | undefined
  /** The files whose users and groups count; undefined: no names are looked up. */
  readonly accounts: Directory | undefined
  readonly ops: readonly OpenedOp[]
  /** Whether another step will look at what the layer holds. */
  readonly isBelow: boolean
}

export interface PackingOptions {
  readonly signal: AbortSignal
  readonly onProgress: (bytes: number) => void
}

/** Makes the layers of one build. */
export class FileLayerPacker {
  readonly #services: FileLayerServices
  /** Each has files open and pieces under way, and there are no more processors. */
  readonly #limit = pLimit(Math.max(2, availableParallelism()))

  constructor(services: FileLayerServices) {
    this.#services = services
  }

  /** Makes a layer. What it holds is decided when this resolves; packing and storing it goes on. */
  async pack(layer: FileLayer, options: PackingOptions): Promise<ComingLayer> {
    const { id, below = emptyRoot(), accounts = emptyRoot(), ops, isBelow } = layer
    const { store, layers, trees } = this.#services
    const { signal } = options
    await using resources = new AsyncDisposableStack()
    resources.use(await this.#place())
    const archived = resources.use(store.blobs.temporaryFile('archived'))
    const extracted = resources.use(store.blobs.temporaryFile('extracted'))
    const spool = resources.use(new Spool(archived.path))
    const taken = resources.use(new Spool(extracted.path, 0))

    async function read(leaf: Leaf): Promise<Buffer> {
      const content = contentIn(leaf)
      if (content instanceof LayerContent) await trees.extract([content], taken)
      return Buffer.concat(Array.from(piecesOf(content, leaf.size), (piece) => Buffer.from(piece)))
    }

    const drafting = { signal, readArchive, spool, accounts: await accountsOf(accounts, read) }
    const changes = (await draftFileOps(below, ops, drafting)).changes()
    const inLayers = changes.flatMap(({ node }) =>
      node !== undefined && node.type !== 'directory' && node.content instanceof LayerContent ? [node.content] : [],
    )
    await trees.extract(new Set(inLayers), taken)
    const index = isBelow ? new DraftIndex(changes) : undefined
    if (index) resources.defer(() => index.close())
    const open = resources.move()
    async function write(): Promise<Layer> {
      await using _ = open
      return await layers.write(id, index?.packing() ?? entriesOf(changes), options)
    }
    const blob = write()
    // Errors are met by the solve, which does not end before.
    blob.catch(() => undefined)
    return { index, blob }
  }

  /** Waits until a layer may be begun. */
  #place(): Promise<Disposable> {
    return new Promise((resolve) => {
      void this.#limit(() => new Promise<void>((leave) => resolve({ [Symbol.dispose]: leave })))
    })
  }
}
