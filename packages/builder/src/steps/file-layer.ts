/**
 * The layer of file operations made in this process: decided over the indexes of the layers below, packed from where the
 * contents are. No worker, root filesystem or privilege has a part in it.
 */
import type { Layer } from '../graph/layer.ts'
import { type Directory, emptyRoot, type Leaf } from '../layer/file-tree.ts'
import type { Store } from '../store/store.ts'
import { piecesOf } from '../util/content.ts'
import { readArchive } from './archive.ts'
import { draftFileOps, type OpenedOp } from './file/draft-ops.ts'
import { contentIn, LayerContent } from './file/layer-source.ts'
import { accountsOf } from './file/owner.ts'
import { entriesOf } from './file/pack-draft.ts'
import { Spool } from './file/spool.ts'
import type { LayerTrees } from './layer-trees.ts'
import type { LayerService } from './layers.ts'

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
}

/** Makes a layer and stores it. */
export async function packFileLayer(
  { id, below = emptyRoot(), accounts = emptyRoot(), ops }: FileLayer,
  { store, layers, trees }: FileLayerServices,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: (bytes: number) => void },
): Promise<Layer> {
  await using archived = store.blobs.temporaryFile('archived')
  await using extracted = store.blobs.temporaryFile('extracted')
  using spool = new Spool(archived.path)
  using taken = new Spool(extracted.path, 0)

  async function read(leaf: Leaf): Promise<Buffer> {
    const content = contentIn(leaf)
    if (content instanceof LayerContent) await trees.extract([content], taken)
    return Buffer.concat(Array.from(piecesOf(content, leaf.size), (piece) => Buffer.from(piece)))
  }

  const options = { signal, readArchive, spool, accounts: await accountsOf(accounts, read) }
  const changes = (await draftFileOps(below, ops, options)).changes()
  const inLayers = changes.flatMap(({ node }) =>
    node !== undefined && node.type !== 'directory' && node.content instanceof LayerContent ? [node.content] : [],
  )
  await trees.extract(new Set(inLayers), taken)
  return await layers.write(id, entriesOf(changes), onProgress)
}
