/** Writes what a draft has changed into the root filesystem that it was made over. */
import {
  chmodSync,
  closeSync,
  constants,
  copyFile,
  fchmodSync,
  fchownSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { promisify } from 'node:util'
import { throwIfAborted } from '../../errors.ts'
import type { LayerDirectory, Leaf } from '../../layer/file-tree.ts'
import { type Content, type ContentFile, piecesOf } from '../../util/content.ts'
import { fsPath } from '../../util/raw-path.ts'
import { removeTree } from '../../util/remove-tree.ts'
import { makeNode, NODE_TYPE, setTimes, setTimesOf } from '../../util/syscalls.ts'
import type { Draft } from './draft.ts'
import { fileErrors } from './errors.ts'
import { setXattrs } from './xattrs.ts'

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
/** Larger files are copied by the kernel (as clones where the file system can), off the main thread. */
const COPY_BY_KERNEL = 1024 * 1024
/** Milliseconds of work after which others get their turn. */
const SLICE_MS = 20

export interface WriteOptions {
  readonly signal: AbortSignal
  /** Entries written so far, now and then. */
  readonly onProgress?: ((progress: { readonly entries: number }) => void) | undefined
}

/**
 * @param root absolute path of the root filesystem, free of links; nobody else writes there
 * @throws BuildError OWNER_NOT_MAPPED, CONTEXT_CHANGED, CANCELLED; errors of the file system
 */
export async function writeDraft(draft: Draft, root: string, options: WriteOptions): Promise<void> {
  const writer = new DraftWriter(draft, root === '/' ? '' : root)
  let until = 0
  let entries = 0
  for (const { path, node } of draft.changes()) {
    if (performance.now() > until) {
      throwIfAborted(options.signal)
      options.onProgress?.({ entries })
      await new Promise((resolve) => setImmediate(resolve))
      throwIfAborted(options.signal)
      until = performance.now() + SLICE_MS
    }
    if (node === undefined) writer.remove(path)
    else if (node.type === 'directory') writer.directory(path, node)
    else {
      const waiting = writer.leaf(path, node)
      if (waiting !== undefined) await waiting
    }
    entries++
  }
  writer.finish()
  options.onProgress?.({ entries })
}

class DraftWriter {
  readonly #draft: Draft
  readonly #root: string
  /** Where files with several names are. */
  readonly #linked = new Map<Leaf, string>()
  readonly #directories: [place: string, directory: LayerDirectory][] = []

  constructor(draft: Draft, root: string) {
    this.#draft = draft
    this.#root = root
    for (const [leaf, path] of draft.existing) this.#linked.set(leaf, `${root}/${path}`)
  }

  remove(path: string): void {
    removeTree(`${this.#root}/${path}`)
  }

  directory(path: string, directory: LayerDirectory): void {
    const place = `${this.#root}/${path}`
    const raw = fsPath(place)
    let stat = lstatSync(raw, { throwIfNoEntry: false })
    // One that shows nothing of what is below is another one.
    if (stat !== undefined && (!stat.isDirectory() || directory.below === undefined)) {
      removeTree(place)
      stat = undefined
    }
    if (stat === undefined) mkdirSync(raw, 0o700)
    const { uid, gid, mode } = directory
    if (stat?.uid !== uid || stat.gid !== gid) this.#chown(path, uid, gid, () => lchownSync(raw, uid, gid))
    if (stat === undefined || (stat.mode & 0o7777) !== mode) chmodSync(raw, mode)
    setXattrs(raw, directory.xattrs)
    this.#directories.push([place, directory])
  }

  leaf(path: string, leaf: Leaf): Promise<void> | undefined {
    const place = `${this.#root}/${path}`
    const linked = leaf.names > 1 ? this.#linked.get(leaf) : undefined
    if (linked === place) this.#attributes(path, leaf)
    else if (linked !== undefined) {
      this.#replacing(place, () => linkSync(fsPath(linked), fsPath(place)))
      if (this.#draft.existing.has(leaf)) this.#attributes(path, leaf)
    } else {
      this.#linked.set(leaf, place)
      return this.#make(path, place, leaf)
    }
    return undefined
  }

  /** Gives directories their times, which everything in them has changed. */
  finish(): void {
    for (const [place, { mtimeNs }] of this.#directories.reverse()) setTimes(fsPath(place), mtimeNs)
  }

  #make(path: string, place: string, leaf: Leaf): Promise<void> | undefined {
    const raw = fsPath(place)
    if (leaf.type === 'file') {
      const content = leaf.content!
      const isLarge = leaf.size > COPY_BY_KERNEL && !Buffer.isBuffer(content) && content.offset === undefined
      if (isLarge) return this.#largeFile(path, place, leaf, content as ContentFile)
      this.#file(path, place, leaf, content)
      return undefined
    }
    this.#replacing(place, () => {
      if (leaf.type === 'symlink') symlinkSync(fsPath(leaf.linkname!), raw)
      else makeNode(raw, NODE_TYPE[leaf.type as keyof typeof NODE_TYPE] | 0o600, leaf.device ?? { major: 0, minor: 0 })
    })
    this.#attributes(path, leaf)
    return undefined
  }

  #file(path: string, place: string, leaf: Leaf, content: Content): void {
    const pieces = piecesOf(content, leaf.size)
    // Read first: a file that has changed leaves nothing.
    let piece = pieces.next()
    const fd = this.#replacing(place, () => openSync(fsPath(place), CREATE, 0o600))
    try {
      for (; piece.done !== true; piece = pieces.next())
        for (let at = 0; at < piece.value.length; ) at += writeSync(fd, piece.value, at, piece.value.length - at)
      this.#settle(fd, path, place, leaf)
    } catch (error) {
      // Calls on descriptors do not tell which file they failed for.
      if (error instanceof Error) Object.assign(error, { path: place })
      throw error
    } finally {
      closeSync(fd)
      pieces.return(undefined)
    }
  }

  async #largeFile(path: string, place: string, leaf: Leaf, content: ContentFile): Promise<void> {
    const { COPYFILE_EXCL, COPYFILE_FICLONE } = constants
    const source = content.open()
    try {
      // Made and taken away again: clears the way as for small files.
      this.#replacing(place, () => closeSync(openSync(fsPath(place), CREATE, 0o600)))
      unlinkSync(fsPath(place))
      await promisify(copyFile)(`/proc/self/fd/${source}`, fsPath(place), COPYFILE_EXCL | COPYFILE_FICLONE)
      if (content.isSame?.(source) === false) throw content.changed()
    } finally {
      closeSync(source)
    }
    const fd = openSync(fsPath(place), constants.O_WRONLY | constants.O_NOFOLLOW)
    try {
      this.#settle(fd, path, place, leaf)
    } finally {
      closeSync(fd)
    }
  }

  #settle(fd: number, path: string, place: string, { uid, gid, mode, xattrs, mtimeNs }: Leaf): void {
    this.#chown(path, uid, gid, () => fchownSync(fd, uid, gid))
    fchmodSync(fd, mode)
    setXattrs(fsPath(place), xattrs)
    setTimesOf(fd, mtimeNs)
  }

  /** In this order: a change of owner takes modes and capabilities away, and one of mode changes an access list. */
  #attributes(path: string, { type, uid, gid, mode, xattrs, mtimeNs }: Leaf): void {
    const raw = fsPath(`${this.#root}/${path}`)
    this.#chown(path, uid, gid, () => lchownSync(raw, uid, gid))
    if (type !== 'symlink') chmodSync(raw, mode)
    setXattrs(raw, xattrs)
    setTimes(raw, mtimeNs)
  }

  /** Runs a call that makes something; what is there already has to go first. */
  #replacing<T>(place: string, make: () => T): T {
    try {
      return make()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      removeTree(place)
      return make()
    }
  }

  #chown(path: string, uid: number, gid: number, chown: () => void): void {
    try {
      chown()
    } catch (error) {
      // Outside of the ids that a user namespace maps.
      if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
      throw fileErrors.unmappedOwner([`/${path}`, uid, gid], { cause: error })
    }
  }
}
