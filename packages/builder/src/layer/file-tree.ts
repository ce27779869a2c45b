/**
 * The files of a root filesystem without their contents, as one layer over another shows them.
 *
 * A directory that a layer touches stands over the one below and shows what is in that, unless it says otherwise itself. So
 * a layer costs what it holds, and what lies below never changes: any number of trees can stand on one.
 */

import type { Content } from '../util/content.ts'
import { type LinkReader, resolveWith } from '../util/inroot.ts'
import { encodePath } from '../util/raw-path.ts'
import type { LayerIndex } from './layer-index.ts'

export type Xattr = readonly [name: string, value: Buffer]

/** What a file or directory has beside what is in it. */
export interface Attributes {
  /** Permission bits with set-id and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Nanoseconds since the epoch. */
  readonly mtimeNs: bigint
  /** Sorted by name. */
  readonly xattrs: readonly Xattr[]
}

/** Anything but a directory. One that stands in several places is one file with several names. */
export interface Leaf extends Attributes {
  readonly type: 'file' | 'symlink' | 'fifo' | 'char' | 'block'
  /** Bytes of content; 0 for everything but files. */
  readonly size: number
  /** Text of a symbolic link. */
  readonly linkname?: string | undefined
  readonly device?: { readonly major: number; readonly minor: number } | undefined
  readonly content?: Content | undefined
  /** sha256 of the content (hex), where it is known without {@link origin}. */
  readonly digest?: string | undefined
  /** Where its content stands among the layers. */
  readonly origin?: { readonly layer: LayerIndex; readonly entry: number } | undefined
  /** Names that it has. */
  names: number
}

/** A directory as it is seen. */
export interface Directory extends Attributes {
  readonly type: 'directory'
  get(name: string): TreeNode | undefined
  /** In no order. */
  names(): Iterable<string>
}

export type TreeNode = Leaf | Directory

/** A directory of a layer. */
export class LayerDirectory implements Directory {
  readonly type = 'directory'
  mode: number
  uid: number
  gid: number
  mtimeNs: bigint
  xattrs: readonly Xattr[]
  /** What the layer itself has here; undefined where it has taken away what is below. */
  readonly own = new Map<string, TreeNode | undefined>()
  /** What shows through; undefined: nothing does. */
  below: Directory | undefined

  constructor({ mode, uid, gid, mtimeNs, xattrs }: Attributes, below?: Directory) {
    this.mode = mode
    this.uid = uid
    this.gid = gid
    this.mtimeNs = mtimeNs
    this.xattrs = xattrs
    this.below = below
  }

  get(name: string): TreeNode | undefined {
    // Without recursion: there are as many layers as a Dockerfile has lines.
    let at: Directory | undefined = this
    for (; at instanceof LayerDirectory; at = at.below) {
      const own = at.own.get(name)
      if (own !== undefined || at.own.has(name)) return own
    }
    return at?.get(name)
  }

  names(): Iterable<string> {
    const seen = new Map<string, boolean>()
    let at: Directory | undefined = this
    for (; at instanceof LayerDirectory; at = at.below)
      for (const [name, node] of at.own) if (!seen.has(name)) seen.set(name, node !== undefined)
    for (const name of at?.names() ?? []) if (!seen.has(name)) seen.set(name, true)
    return Array.from(seen).flatMap(([name, isThere]) => (isThere ? [name] : []))
  }

  /** A directory in this one, as one of the layer: it stands over what is below. */
  enter(name: string): LayerDirectory {
    const found = this.get(name)
    if (found?.type !== 'directory') throw new Error(`${name} is no directory`)
    if (found instanceof LayerDirectory && this.own.has(name)) return found
    const entered = new LayerDirectory(found, found)
    this.own.set(name, entered)
    return entered
  }
}

const EMPTY: Attributes = { mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n, xattrs: [] }

/** The root directory of a root filesystem that holds nothing. */
export function emptyRoot(): Directory {
  return new LayerDirectory(EMPTY)
}

/** What stands at a path relative to the root ('' is the root); no link is followed. */
export function lookUp(root: Directory, path: string): TreeNode | undefined {
  let node: TreeNode | undefined = root
  if (path === '') return node
  for (const part of path.split('/')) {
    if (node?.type !== 'directory') return undefined
    node = node.get(part)
  }
  return node
}

/** Resolves the links of a path in a directory, as {@link resolveWith}. */
export function resolveIn(root: Directory, path: string, followLast?: boolean, dangling?: boolean): string {
  const read: LinkReader = (at) => {
    const node = lookUp(root, at)
    if (node === undefined) return 'absent'
    if (node.type === 'directory') return 'directory'
    return node.type === 'symlink' ? { link: node.linkname! } : 'other'
  }
  return resolveWith(read, path, followLast, dangling)
}

/** Same permissions, owner and extended attributes. Times of directories change with their entries and do not count. */
export function sameDirectory(a: Attributes, b: Attributes): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && sameXattrs(a.xattrs, b.xattrs)
}

/**
 * Same type, attributes, modification time and size; content is not looked at. Times are those that a layer can tell, whole
 * seconds: what lies below may come from a blob or from a disk, which must not make another layer.
 */
export function sameLeaf(a: Leaf, b: Leaf): boolean {
  if (a.type !== b.type || a.size !== b.size || seconds(a) !== seconds(b) || !sameDirectory(a, b)) return false
  if (a.type === 'symlink') return encodePath(a.linkname!).equals(encodePath(b.linkname!))
  return a.device?.major === b.device?.major && a.device?.minor === b.device?.minor
}

function seconds({ mtimeNs }: Leaf): bigint {
  return mtimeNs / 1_000_000_000n
}

function sameXattrs(a: readonly Xattr[], b: readonly Xattr[]): boolean {
  return a.length === b.length && a.every(([name, value], i) => name === b[i]![0] && value.equals(b[i]![1]))
}
