/**
 * Places the entries of one matched source in a layer.
 *
 * Only the destination itself was resolved through links; below it a link of the image is never followed: a directory
 * that is to be written onto it fails, a file takes its place.
 */
import type { Tree } from '../../context/tree.ts'
import type { LayerDirectory, Leaf, Xattr } from '../../layer/file-tree.ts'
import type { Chmod } from '../../util/chmod.ts'
import type { Content } from '../../util/content.ts'
import { decodeDevice } from '../../util/syscalls.ts'
import { refuseWhiteout } from './destination.ts'
import { type Draft, join } from './draft.ts'
import { fileErrors } from './errors.ts'
import type { Ids } from './owner.ts'
import type { SelectedEntry } from './select.ts'
import { copiedXattrs, mergeXattrs } from './xattrs.ts'

/** What every entry of one COPY has in common. */
export interface PlaceRules {
  /** Owner of everything placed; undefined keeps each entry's own. */
  readonly owner: Ids | undefined
  readonly chmod: Chmod | undefined
  /** Time of files; undefined: their source's. */
  readonly mtimeNs: bigint | undefined
}

interface OpenDirectory {
  readonly target: string
  readonly directory: LayerDirectory
  /** Given when everything inside is placed; undefined for directories that keep theirs. */
  readonly mtimeNs: bigint | undefined
}

/** Places one matched source: entries in order, then {@link finish}. */
export class EntryPlacer {
  readonly #draft: Draft
  readonly #tree: Tree | undefined
  readonly #rules: PlaceRules
  readonly #destination: string
  readonly #links = new Map<string, string>()
  readonly #open: OpenDirectory[] = []

  /** @param tree where content is read; not needed for {@link placeData} */
  constructor(draft: Draft, tree: Tree | undefined, rules: PlaceRules, destination: string) {
    this.#draft = draft
    this.#tree = tree
    this.#rules = rules
    this.#destination = destination
  }

  place(entry: SelectedEntry): void {
    const { target } = entry
    while (this.#open.length > 0 && !isBelow(target, this.#open[this.#open.length - 1]!.target)) this.#close()
    const path = join(this.#destination, target)
    refuseWhiteout(path)
    if (entry.node.type === 'directory') this.#directory(path, entry)
    else if (entry.node.type === 'file') this.#file(path, entry)
    else this.#other(path, entry)
  }

  /** Places a file whose content is at hand, as the matched source itself. */
  placeData(entry: SelectedEntry, data: Buffer): void {
    refuseWhiteout(this.#destination)
    this.#put(this.#destination, this.#leaf('file', entry, data))
  }

  /** Gives the directories their times. */
  finish(): void {
    while (this.#open.length > 0) this.#close()
  }

  #close(): void {
    const { directory, mtimeNs } = this.#open.pop()!
    if (mtimeNs !== undefined) directory.mtimeNs = mtimeNs
  }

  #directory(path: string, entry: SelectedEntry): void {
    const { target, node } = entry
    const { mtimeNs } = node
    const existing = this.#draft.lstat(path)
    if (existing !== undefined && existing.type !== 'directory') throw fileErrors.notDirectory([`/${path}`])
    if (target === '') {
      // The destination keeps what it has (0755 if it was made just now), but gets the source's time.
      this.#open.push({ target, directory: this.#draft.directory(path), mtimeNs })
      return
    }
    const keeps = existing !== undefined && entry.implied === true
    const directory =
      existing === undefined ? this.#draft.mkdir(path, { mode: 0, uid: 0, gid: 0 }) : this.#draft.directory(path)
    if (keeps) directory.mode = node.mode
    else {
      const { uid, gid } = this.#rules.owner ?? node
      Object.assign(directory, { uid, gid })
      directory.mode = this.#rules.chmod?.apply(node.mode, true) ?? node.mode
      directory.xattrs = mergeXattrs(directory.xattrs, this.#xattrs(entry))
    }
    this.#open.push({ target, directory, mtimeNs: keeps ? undefined : mtimeNs })
  }

  #file(path: string, entry: SelectedEntry): void {
    const { node } = entry
    if (node.nlink > 1) {
      const key = `${node.dev}:${node.ino}`
      const first = this.#links.get(key)
      if (first !== undefined) {
        this.#makeRoom(path)
        this.#draft.link(first, path)
        return
      }
      this.#links.set(key, path)
    }
    this.#put(path, this.#leaf('file', entry, this.#tree!.content(entry.source, node)))
  }

  #other(path: string, entry: SelectedEntry): void {
    const { node } = entry
    if (node.type === 'symlink') {
      this.#put(path, { ...this.#leaf('symlink', entry), mode: 0o777, linkname: node.linkname! })
      return
    }
    // Sockets of a context are empty files: nobody listens in an image.
    if (node.type === 'socket') {
      this.#put(path, { ...this.#leaf('file', entry, Buffer.of()), size: 0 })
      return
    }
    const type = node.type as 'fifo' | 'char' | 'block'
    const device = decodeDevice(node.rdev)
    if (type === 'char' && device.major === 0 && device.minor === 0) throw fileErrors.whiteoutDevice([`/${path}`])
    this.#put(path, { ...this.#leaf(type, entry), ...(type !== 'fifo' && { device }) })
  }

  #leaf<T extends Leaf['type']>(type: T, entry: SelectedEntry, content?: Content): Leaf & { type: T } {
    const { node } = entry
    const { uid, gid } = this.#rules.owner ?? node
    return {
      type,
      mode: this.#rules.chmod?.apply(node.mode, false) ?? node.mode,
      uid,
      gid,
      mtimeNs: (type === 'file' ? this.#rules.mtimeNs : undefined) ?? node.mtimeNs,
      xattrs: this.#xattrs(entry),
      size: type === 'file' ? node.size : 0,
      content,
      digest: type === 'file' ? this.#tree?.digest?.(entry.source) : undefined,
      names: 0,
    }
  }

  #put(path: string, leaf: Leaf): void {
    this.#makeRoom(path)
    this.#draft.put(path, leaf)
  }

  /** A file or link that is there already gives way. */
  #makeRoom(path: string): void {
    if (this.#draft.lstat(path)?.type === 'directory') throw fileErrors.replaceDirectory([`/${path}`])
  }

  #xattrs(entry: SelectedEntry): readonly Xattr[] {
    return this.#tree === undefined ? [] : copiedXattrs(this.#tree, entry.source)
  }
}

function isBelow(path: string, directory: string): boolean {
  return directory === '' || (path.startsWith(directory) && path[directory.length] === '/')
}
