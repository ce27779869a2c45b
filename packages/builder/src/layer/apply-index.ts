/**
 * Puts an indexed layer over the files below it, as unpacking it would (image-spec layer.md "Applying Changesets"):
 * whiteouts take away what lies below and never what the same layer brings, wherever they stand in it.
 */
import { layerErrors } from './errors.ts'
import { type Directory, LayerDirectory, type Leaf, type TreeNode, type Xattr } from './file-tree.ts'
import type { LayerIndex } from './layer-index.ts'
import { components, MOST_LINKS } from './rooted-paths.ts'
import type { TarEntry } from './tar-header.ts'
import { meaningOf } from './whiteouts.ts'
import { isUnpackedXattr } from './xattrs.ts'

/**
 * @returns the root directory with the layer on top; `below` stays as it is
 * @throws TAR_INVALID, UNPACK_FAILED
 */
export function applyIndex(below: Directory, layer: LayerIndex): LayerDirectory {
  const overlay = new Overlay(below, layer)
  let at = 0
  for (const entry of layer.entries) overlay.apply(entry, at++)
  return overlay.root
}

/**
 * Puts a layer that was made on nothing over the files below it, as a mount does: its directories are merged with those
 * below, no link is followed.
 */
export function mergeLayer(layer: LayerDirectory, below: Directory): LayerDirectory {
  const merged = mergeDirectory(layer, below)
  // The root is handed on.
  Object.assign(merged, { mode: below.mode, uid: below.uid, gid: below.gid, mtimeNs: below.mtimeNs })
  return merged
}

function mergeDirectory(layer: LayerDirectory, below: Directory): LayerDirectory {
  const merged = new LayerDirectory(layer, below)
  for (const [name, node] of layer.own) {
    const under = below.get(name)
    const isMerged = node instanceof LayerDirectory && under?.type === 'directory'
    merged.own.set(name, isMerged ? mergeDirectory(node, under) : node)
  }
  return merged
}

class Overlay {
  readonly root: LayerDirectory
  /** What the layer brings, with all directories above it. */
  readonly #brought = new Set<TreeNode>()
  /** The directory that was entered last, by its components as written. */
  #last: { readonly key: string; readonly way: readonly LayerDirectory[] } | undefined

  readonly #layer: LayerIndex

  constructor(below: Directory, layer: LayerIndex) {
    this.#layer = layer
    this.root = new LayerDirectory(below, below)
    this.#brought.add(this.root)
  }

  /** @param at where it stands in the layer */
  apply(entry: TarEntry, at: number): void {
    const meaning = meaningOf(entry)
    if (meaning.kind === 'root') Object.assign(this.root, attributesOf(entry, this.root.xattrs))
    else if (meaning.kind === 'opaque') this.#clear(this.#way(meaning.above, false)?.at(-1))
    else if (meaning.kind === 'gone') this.#takeAway(this.#way(meaning.above, false)?.at(-1), meaning.name)
    else if (meaning.kind === 'file') this.#place(entry, at, this.#way(meaning.above, true)!, meaning.name)
  }

  /** Removes what lies below at a name; of a directory that the layer itself brings only what is not the layer's. */
  #takeAway(directory: LayerDirectory | undefined, name: string): void {
    const node = directory?.get(name)
    if (directory === undefined || node === undefined) return
    if (!directory.own.has(name) || !this.#brought.has(node)) this.#set(directory, name, undefined)
    else if (node instanceof LayerDirectory) this.#clear(node)
  }

  #clear(directory: LayerDirectory | undefined): void {
    if (directory === undefined) return
    this.#last = undefined
    directory.below = undefined
    for (const [name, node] of directory.own) {
      if (node === undefined) continue
      if (!this.#brought.has(node)) directory.own.delete(name)
      else if (node instanceof LayerDirectory) this.#clear(node)
    }
  }

  #set(directory: LayerDirectory, name: string, node: TreeNode | undefined): void {
    const before = directory.get(name)
    if (before !== undefined && (before.type === 'directory' || before.type === 'symlink')) this.#last = undefined
    const own = directory.own.get(name)
    if (own !== undefined && own.type !== 'directory') own.names--
    directory.own.set(name, node)
  }

  #bring(way: readonly LayerDirectory[], node: TreeNode): void {
    for (const directory of way) this.#brought.add(directory)
    this.#brought.add(node)
  }

  #place(entry: TarEntry, at: number, way: readonly LayerDirectory[], name: string): void {
    const directory = way.at(-1)!
    const { type } = entry
    if (type === 'hardlink') {
      const source = this.#linkSource(entry)
      if (source.directory === directory && source.name === name) return
      const { leaf } = source
      this.#set(directory, name, leaf)
      leaf.names++
      this.#bring(way, leaf)
      this.#bring(source.way, leaf)
    } else if (type === 'directory') {
      const isDirectory = directory.get(name)?.type === 'directory'
      const made = isDirectory ? directory.enter(name) : new LayerDirectory(attributesOf(entry, []))
      if (isDirectory) Object.assign(made, attributesOf(entry, made.xattrs))
      else this.#set(directory, name, made)
      this.#bring(way, made)
    } else {
      // Overlay mounts take it for a deletion, so it is left out when the layer is unpacked.
      const isMark = type === 'char' && !entry.device?.major && !entry.device?.minor
      const { size, linkname, device } = entry
      const origin = type === 'file' ? { layer: this.#layer, entry: at } : undefined
      const common = { ...attributesOf(entry, []), size, linkname, device, names: 1 }
      const leaf: Leaf = { type, ...common, origin }
      if (type === 'symlink') Object.assign(leaf, { mode: 0o777 })
      this.#set(directory, name, isMark ? undefined : leaf)
      if (!isMark) this.#bring(way, leaf)
    }
  }

  #linkSource(entry: TarEntry): {
    way: readonly LayerDirectory[]
    directory: LayerDirectory
    name: string
    leaf: Leaf
  } {
    const parts = components(entry.linkname!)
    const name = parts.at(-1)
    const way = name === undefined ? undefined : this.#way(parts.slice(0, -1), false)
    const directory = way?.at(-1)
    const node = name === undefined ? undefined : directory?.get(name)
    if (way === undefined || directory === undefined || node === undefined || node.type === 'directory')
      throw layerErrors.unpackFailed([
        entry.path,
        `its hard link target ${JSON.stringify(entry.linkname)} is not a file in the image`,
      ])
    if (directory.own.has(name!)) return { way, directory, name: name!, leaf: node }
    // What is below is not changed: its new names are counted here.
    const leaf: Leaf = { ...node, names: 1 }
    directory.own.set(name!, leaf)
    return { way, directory, name: name!, leaf }
  }

  /**
   * The directories that lead to the one with these components, with it; links are followed within the root only.
   *
   * @param make whether missing ones are made
   * @returns undefined when one is missing
   */
  #way(parts: readonly string[], make: boolean): readonly LayerDirectory[] | undefined {
    const key = parts.join('/')
    if (this.#last?.key === key) return this.#last.way
    const pending = parts.toReversed()
    const way = [this.root]
    const names: string[] = []
    let links = 0
    for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
      if (part === '' || part === '.') continue
      if (part === '..') {
        if (names.pop() !== undefined) way.pop()
        continue
      }
      const directory = way.at(-1)!
      const node = directory.get(part)
      if (node?.type === 'symlink') {
        if (++links > MOST_LINKS) throw layerErrors.unpackFailed([key, 'too many levels of symbolic links'])
        if (node.linkname!.startsWith('/')) {
          way.length = 1
          names.length = 0
        }
        pending.push(...node.linkname!.split('/').reverse())
        continue
      }
      names.push(part)
      if (node?.type === 'directory') way.push(directory.enter(part))
      else if (node !== undefined) throw layerErrors.unpackFailed([key, `${names.join('/')} is not a directory`])
      else if (make) {
        const made = new LayerDirectory({ mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n, xattrs: [] })
        directory.own.set(part, made)
        way.push(made)
        this.#bring(way, made)
      } else return undefined
    }
    this.#last = { key, way }
    return way
  }
}

function attributesOf({ mode, uid, gid, mtime, xattrs = [] }: TarEntry, before: readonly Xattr[]) {
  const set = xattrs.filter(([name]) => isUnpackedXattr(name))
  const all = before.length === 0 ? set : [...new Map([...before, ...set])].sort(([a], [b]) => (a < b ? -1 : 1))
  return { mode, uid, gid, mtimeNs: nanoseconds(mtime), xattrs: all }
}

/** As libuv makes a time of a number. */
function nanoseconds(seconds: number): bigint {
  const whole = Math.floor(seconds)
  return BigInt(whole) * 1_000_000_000n + BigInt(Math.trunc((seconds - whole) * 1e9))
}
