/**
 * A layer that file operations are making: nothing is written yet. It stands over a root filesystem that is only looked
 * at, behaves as an overlay mount on it would, and says in the end what has changed.
 */

import {
  type Attributes,
  type Directory,
  LayerDirectory,
  type Leaf,
  lookUp,
  resolveIn,
  sameDirectory,
  sameLeaf,
  type TreeNode,
} from '../../layer/file-tree.ts'
import { digestOfContent } from '../../util/content.ts'
import { compareNames, encodePath } from '../../util/raw-path.ts'
import { contentIn, knownDigest } from './layer-source.ts'

/** What of a layer stands at a path; undefined: what is below is gone. */
export interface Drafted {
  /** Relative to the root. */
  readonly path: string
  readonly node: Leaf | LayerDirectory | undefined
}

export class Draft {
  readonly root: LayerDirectory
  readonly #below: Directory
  /** What the time is: of everything that is made or changed in passing. Nanoseconds. */
  readonly now: bigint
  /** The directory that was changed last. */
  #last: { readonly path: string; readonly directory: LayerDirectory } | undefined
  /** Files of the layers below that have got another name, and what they were called there. */
  readonly existing = new Map<Leaf, string>()

  constructor(below: Directory, now: bigint) {
    this.#below = below
    this.root = new LayerDirectory(below, below)
    this.now = now
  }

  /** What stands at a path; no link is followed. */
  lstat(path: string): TreeNode | undefined {
    const [above, name] = split(path)
    if (path !== '' && this.#last?.path === above) return this.#last.directory.get(name)
    return lookUp(this.root, path)
  }

  /** Resolves the links of a path, as {@link resolveIn}. @param base what is the root of it; free of links */
  resolve(path: string, options: { followLast?: boolean; dangling?: boolean; base?: string } = {}): string {
    const { followLast, dangling, base = '' } = options
    return join(base, resolveIn(lookUp(this.root, base) as Directory, path, followLast, dangling))
  }

  /** A directory that is there, to be changed. */
  directory(path: string): LayerDirectory {
    if (this.#last?.path === path) return this.#last.directory
    let directory = this.root
    if (path !== '') for (const part of path.split('/')) directory = directory.enter(part)
    this.#last = { path, directory }
    return directory
  }

  /** Makes a directory where nothing is. */
  mkdir(path: string, attributes: Omit<Attributes, 'mtimeNs' | 'xattrs'>): LayerDirectory {
    const made = new LayerDirectory({ ...attributes, mtimeNs: this.now, xattrs: [] })
    this.#set(path, made)
    return made
  }

  /** Puts a file in the place of whatever is there. */
  put(path: string, leaf: Leaf): void {
    this.#set(path, leaf)
    leaf.names++
  }

  /** Gives a file another name. */
  link(from: string, path: string): void {
    const [above, name] = split(from)
    const directory = this.directory(above)
    let leaf = directory.get(name) as Leaf
    if (!directory.own.has(name)) {
      leaf = { ...leaf, content: contentIn(leaf), names: 1 }
      this.existing.set(leaf, from)
      directory.own.set(name, leaf)
    }
    this.put(path, leaf)
  }

  /** Takes away what is there. */
  remove(path: string): void {
    this.#set(path, undefined)
  }

  #set(path: string, node: TreeNode | undefined): void {
    const [above, name] = split(path)
    refuseLong(path, name)
    const directory = this.directory(above)
    const before = directory.own.get(name)
    if (before?.type === 'directory') this.#last = undefined
    else if (before !== undefined) before.names--
    directory.own.set(name, node)
    directory.mtimeNs = this.now
  }

  /**
   * What has changed: parents before children, siblings in byte order. What is as it was below is left out; a directory on
   * the way to something that changed is there.
   */
  changes(): Drafted[] {
    const changed: Drafted[] = []
    collect(this.root, this.#below, '', changed)
    return changed
  }
}

function collect(directory: LayerDirectory, below: Directory | undefined, prefix: string, changed: Drafted[]): void {
  const names = [...directory.own.keys()]
  // Made in the place of another one: what that held is gone.
  if (directory.below === undefined && below)
    for (const name of below.names()) if (!directory.own.has(name)) names.push(name)
  for (const name of names.sort(compareNames)) {
    const path = prefix + name
    const node = directory.own.get(name) as Leaf | LayerDirectory | undefined
    const under = below?.get(name)
    if (node === undefined) {
      if (under !== undefined) changed.push({ path, node })
    } else if (node.type === 'directory') {
      const under2 = under?.type === 'directory' ? under : undefined
      const at = changed.push({ path, node })
      collect(node, under2, `${path}/`, changed)
      if (changed.length === at && under2 && sameDirectory(node, under2)) changed.pop()
    } else if (under === undefined || under.type === 'directory' || !isSame(node, under)) changed.push({ path, node })
  }
}

/** Whether a file is the one that it hides. One with several names never is: its links may be new. */
function isSame(leaf: Leaf, below: Leaf): boolean {
  if (leaf.names > 1 || !sameLeaf(leaf, below)) return false
  if (leaf.type !== 'file') return true
  const digest = knownDigest(below)
  return digest !== undefined && digestOf(leaf) === digest
}

function digestOf(leaf: Leaf): string | undefined {
  return knownDigest(leaf) ?? (leaf.content && digestOfContent(leaf.content, leaf.size))
}

/** Bytes of a path and of a name that system calls take. */
const [LONGEST_PATH, LONGEST_NAME] = [4095, 255]

/** As the kernel would: nobody could unpack such a name. */
function refuseLong(path: string, name: string): void {
  if (path.length <= LONGEST_PATH / 3 && name.length <= LONGEST_NAME / 3) return
  if (encodePath(path).length <= LONGEST_PATH && encodePath(name).length <= LONGEST_NAME) return
  const facts = { code: 'ENAMETOOLONG', syscall: 'open', path: `/${path}` }
  throw Object.assign(new Error('ENAMETOOLONG: file name too long'), facts)
}

/** The path of something in a directory. */
export function join(directory: string, name: string): string {
  return directory === '' || name === '' ? directory + name : `${directory}/${name}`
}

/** The directory of a path, and the name in it. */
export function split(path: string): readonly [directory: string, name: string] {
  const slash = path.lastIndexOf('/')
  return [path.slice(0, Math.max(0, slash)), path.slice(slash + 1)]
}
