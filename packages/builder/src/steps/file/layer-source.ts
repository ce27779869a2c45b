/** The files of layers as something that COPY takes from: looked at by their indexes, read from their blobs. */
import type { Tree, TreeNode } from '../../context/tree.ts'
import { type Directory, type Leaf, lookUp, type TreeNode as Node } from '../../layer/file-tree.ts'
import type { Content, ContentFile } from '../../util/content.ts'
import { compareNames } from '../../util/raw-path.ts'
import { encodeDevice } from '../../util/syscalls.ts'

/** The content of a file in a layer: it can be read once it was taken out of there. */
export class LayerContent implements ContentFile {
  readonly origin: NonNullable<Leaf['origin']>
  /** Where it was put. */
  found: ContentFile | undefined

  constructor(origin: NonNullable<Leaf['origin']>) {
    this.origin = origin
  }

  get offset(): number | undefined {
    return this.#found.offset
  }

  open(): number {
    return this.#found.open()
  }

  changed(): Error {
    return this.#found.changed()
  }

  get #found(): ContentFile {
    if (this.found === undefined) throw new Error('the content of a layer was not taken out of it')
    return this.found
  }
}

/** Where a file's content is. */
export function contentIn({ content, origin, size }: Leaf): Content {
  if (content !== undefined) return content
  if (size === 0 || origin === undefined) return Buffer.of()
  return origin.layer.data(origin.entry) ?? new LayerContent(origin)
}

/** sha256 of a file's content (hex), where it is known without reading that. */
export function knownDigest({ digest, origin }: Leaf): string | undefined {
  return digest ?? origin?.layer.digest(origin.entry)
}

/** The files of a stack of layers. */
export function openLayerSource(root: Directory): Tree {
  const numbers = new Map<Node, bigint>()

  function describe(name: string, node: Node): TreeNode {
    let ino = numbers.get(node)
    if (ino === undefined) {
      ino = BigInt(numbers.size + 1)
      numbers.set(node, ino)
    }
    const { type, mode, uid, gid, mtimeNs } = node
    const common = { name, type, mode, uid, gid, mtimeNs, ctimeNs: 0n, dev: 0n, ino }
    if (node.type === 'directory') return { ...common, size: 0, nlink: 1, rdev: 0n }
    const { size, names: nlink, device, linkname } = node
    const rdev = device === undefined ? 0n : encodeDevice(device.major, device.minor)
    return { ...common, size, nlink, rdev, ...(linkname !== undefined && { linkname }) }
  }

  function leafAt(path: string): Leaf {
    return lookUp(root, path) as Leaf
  }

  return {
    root: '',
    sockets: 'skipped',
    lstat(path) {
      const node = lookUp(root, path)
      return node && describe(path.slice(path.lastIndexOf('/') + 1), node)
    },
    list(path) {
      const directory = lookUp(root, path) as Directory
      const names = [...directory.names()].sort(compareNames)
      return names.map((name) => describe(name, directory.get(name)!))
    },
    content: (path) => contentIn(leafAt(path)),
    digest: (path) => knownDigest(leafAt(path)),
    xattrs: (path) => lookUp(root, path)?.xattrs ?? [],
    hiddenBy: () => undefined,
  }
}
