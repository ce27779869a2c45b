/** What a draft has changed as the entries of a layer: the same that packing a snapshot of it gives. */
import type { LayerDirectory, Leaf } from '../../layer/file-tree.ts'
import { type PackedEntry, whiteoutOf } from '../../layer/pack.ts'
import { isPackedXattr } from '../../layer/xattrs.ts'
import type { Drafted } from './draft.ts'

export function* entriesOf(changes: readonly Drafted[]): Generator<PackedEntry> {
  const linked = new Map<Leaf, string>()
  for (const { path, node } of changes) {
    if (node === undefined) yield { entry: whiteoutOf(path) }
    else if (node.type === 'directory') yield { entry: { ...attributesOf(path, node), type: 'directory', size: 0 } }
    else yield leafEntry(path, node, linked)
  }
}

function leafEntry(path: string, leaf: Leaf, linked: Map<Leaf, string>): PackedEntry {
  const common = attributesOf(path, leaf)
  if (leaf.names > 1) {
    const first = linked.get(leaf)
    if (first !== undefined)
      return { entry: { ...common, xattrs: undefined, type: 'hardlink', size: 0, linkname: first } }
    linked.set(leaf, path)
  }
  const { type, size, linkname, device, content } = leaf
  if (type === 'file') return { entry: { ...common, type, size }, content }
  const xattrs = type === 'fifo' ? common.xattrs : undefined
  return { entry: { ...common, xattrs, type, size: 0, linkname, device } }
}

function attributesOf(path: string, { mode, uid, gid, mtimeNs, xattrs }: Leaf | LayerDirectory) {
  const packed = xattrs.filter(([name]) => isPackedXattr(name))
  const mtime = Number(mtimeNs / 1_000_000_000n)
  return { path, mode, uid, gid, mtime, xattrs: packed.length === 0 ? undefined : packed }
}
