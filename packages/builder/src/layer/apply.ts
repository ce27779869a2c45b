/**
 * Applies the entries of one layer to a root filesystem that shows the layers below (image-spec layer.md "Applying
 * Changesets"): whiteouts take away what lies below and never what the same layer brings, wherever they stand in it.
 */
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { BuildError } from '../errors.ts'
import { encodePath, fsPath, readDirectory } from '../util/raw-path.ts'
import { makeNode, NODE_TYPE, setXattr } from '../util/syscalls.ts'
import { layerErrors } from './errors.ts'
import { components, type Place, RootedPaths } from './rooted-paths.ts'
import type { TarEntry } from './tar-header.ts'
import { meaningOf } from './whiteouts.ts'
import { isUnpackedXattr } from './xattrs.ts'

const SET_ID = 0o6000
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** Entries that could not be made, for a warning. */
export type OnSkipped = (path: string, why: string) => void

/** Applies one layer: {@link apply} for each entry in order, {@link finish} at the end. */
export class LayerApplier {
  readonly #paths: RootedPaths
  readonly #onSkipped: OnSkipped
  /** Resolved paths that the layer brings, with all directories above them. */
  readonly #own = new Set<string>([''])
  /** Times that directories get when everything is in them: seconds. */
  readonly #directoryTimes = new Map<string, number>()

  readonly #squashOwners: boolean

  /**
   * @param root a root filesystem that nothing else changes meanwhile
   * @param squashOwners owners that do not exist here become the caller instead of an error, and their set-id bits are lost
   */
  constructor(root: string, squashOwners: boolean, onSkipped: OnSkipped) {
    this.#squashOwners = squashOwners
    this.#onSkipped = onSkipped
    this.#paths = new RootedPaths(root, (path, made, stat) => {
      // The layer says nothing of it, and when it was unpacked here is of no meaning elsewhere.
      if (made) this.#directoryTimes.set(path, 0)
      if (made) this.#claim(path)
      if (stat && !this.#directoryTimes.has(path)) this.#directoryTimes.set(path, Number(stat.mtimeMs) / 1000)
    })
  }

  /**
   * @param read the entry's content, piece by piece
   * @throws UNPACK_FAILED, TAR_INVALID
   */
  async apply(entry: TarEntry, read: () => Promise<Buffer | undefined>): Promise<void> {
    try {
      await this.#apply(entry, read)
    } catch (error) {
      if (error instanceof BuildError || (error as NodeJS.ErrnoException).syscall === undefined) throw error
      throw layerErrors.unpackFailed([entry.path, describe(error as NodeJS.ErrnoException)], { cause: error })
    }
  }

  /** Sets the times of directories, which every entry in them has changed. */
  finish(): void {
    // Those that a later entry has replaced, with all that was in them: each comes after the one that it is in.
    const gone = new Set<string>()
    for (const [path, mtime] of this.#directoryTimes) {
      const isThere =
        !gone.has(path.slice(0, Math.max(0, path.lastIndexOf('/')))) && this.#paths.stat(path)?.isDirectory()
      if (isThere) lutimesSync(fsPath(this.#paths.absolute(path)), mtime, mtime)
      else gone.add(path)
    }
  }

  async #apply(entry: TarEntry, read: () => Promise<Buffer | undefined>): Promise<void> {
    const meaning = meaningOf(entry)
    if (meaning.kind === 'root') this.#setAttributes('', entry)
    else if (meaning.kind === 'opaque') {
      // The directory that the mark stands in: links on the way to it are followed, as for every entry.
      const mark = this.#paths.place([...meaning.above, ''], false)
      if (mark) this.#clearDirectory(mark.parent)
    } else if (meaning.kind === 'gone') {
      const place = this.#paths.place([...meaning.above, meaning.name], false)
      const stat = place && this.#paths.stat(place.path)
      if (place && stat) this.#takeAway(place.path, stat)
    } else if (meaning.kind === 'file')
      await this.#write(entry, this.#paths.place([...meaning.above, meaning.name], true)!, read)
  }

  #clearDirectory(path: string): void {
    for (const { name } of readDirectory(this.#paths.absolute(path))) {
      const child = path === '' ? name : `${path}/${name}`
      this.#takeAway(child, this.#paths.stat(child)!)
    }
  }

  /** Removes what lies below at a path; of a directory that the layer itself brings only what is not the layer's. */
  #takeAway(path: string, stat: BigIntStats): void {
    if (!this.#own.has(path)) this.#paths.remove(path, stat)
    else if (stat.isDirectory()) this.#clearDirectory(path)
  }

  #claim(path: string): void {
    for (let at = path; !this.#own.has(at); at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) this.#own.add(at)
  }

  async #write(entry: TarEntry, place: Place, read: () => Promise<Buffer | undefined>): Promise<void> {
    const target = fsPath(place.absolute)
    if (entry.type === 'file') {
      const fd = this.#openNew(place, target, entry.mode)
      try {
        for (let piece = await read(); piece; piece = await read()) {
          for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at)
        }
        const owned = this.#setOwner(entry, () => fchownSync(fd, entry.uid, entry.gid))
        // After chown, which takes the set-id bits and capabilities away.
        fchmodSync(fd, owned ? entry.mode : entry.mode & ~SET_ID)
        this.#setXattrs(target, entry)
        futimesSync(fd, entry.mtime, entry.mtime)
      } finally {
        closeSync(fd)
      }
      this.#claim(place.path)
      return
    }
    if (entry.type === 'hardlink') {
      this.#link(entry, place, target)
      return
    }
    const existing = this.#paths.stat(place.path)
    if (existing && !(entry.type === 'directory' && existing.isDirectory())) this.#paths.remove(place.path, existing)
    switch (entry.type) {
      case 'directory':
        if (!existing?.isDirectory()) mkdirSync(target)
        break
      case 'symlink':
        symlinkSync(encodePath(entry.linkname!), target)
        break
      default:
        if (!this.#makeNode(entry, target)) return
    }
    this.#claim(place.path)
    this.#setAttributes(place.path, entry)
  }

  /** Opens a file that is certainly new: whatever has its name is removed, never written through. */
  #openNew(place: Place, target: string | Buffer, mode: number): number {
    try {
      return openSync(target, NEW_FILE, mode & 0o777)
    } catch (error) {
      const existing = (error as NodeJS.ErrnoException).code === 'EEXIST' ? this.#paths.stat(place.path) : undefined
      if (!existing) throw error
      this.#paths.remove(place.path, existing)
      return openSync(target, NEW_FILE, mode & 0o777)
    }
  }

  #link(entry: TarEntry, place: Place, target: string | Buffer): void {
    const parts = components(entry.linkname!)
    const source = parts.length > 0 ? this.#paths.place(parts, false) : undefined
    const stat = source && this.#paths.stat(source.path)
    if (!source || !stat || stat.isDirectory())
      throw layerErrors.unpackFailed([
        entry.path,
        `its hard link target ${JSON.stringify(entry.linkname)} is not a file in the image`,
      ])
    if (source.path === place.path) return
    const existing = this.#paths.stat(place.path)
    if (existing) this.#paths.remove(place.path, existing)
    linkSync(fsPath(source.absolute), target)
    this.#claim(place.path)
    this.#claim(source.path)
  }

  /** false when the device cannot be made here, which was then reported. */
  #makeNode(entry: TarEntry, target: string | Buffer): boolean {
    const device = entry.device ?? { major: 0, minor: 0 }
    if (entry.type === 'char' && device.major === 0 && device.minor === 0) {
      this.#onSkipped(entry.path, 'character device 0/0 is the mark of a deleted file to overlay mounts')
      return false
    }
    try {
      makeNode(target, NODE_TYPE[entry.type as keyof typeof NODE_TYPE] | 0o600, device)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPERM' || entry.type === 'fifo') throw error
      this.#onSkipped(entry.path, 'device nodes cannot be made without privileges')
      return false
    }
  }

  #setAttributes(path: string, entry: TarEntry): void {
    const absolute = fsPath(this.#paths.absolute(path))
    const owned = this.#setOwner(entry, () => lchownSync(absolute, entry.uid, entry.gid))
    // chmod follows no link here: what is at the path was just made or seen by lstat.
    if (entry.type !== 'symlink') chmodSync(absolute, owned ? entry.mode : entry.mode & ~SET_ID)
    this.#setXattrs(absolute, entry)
    if (entry.type === 'directory') this.#directoryTimes.set(path, entry.mtime)
    else lutimesSync(absolute, entry.mtime, entry.mtime)
  }

  /** false when the owner does not exist here and the caller stays it. */
  #setOwner(entry: TarEntry, chown: () => void): boolean {
    try {
      chown()
      return true
    } catch (error) {
      if (!this.#squashOwners || (error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
      this.#onSkipped(entry.path, `its owner ${entry.uid}:${entry.gid} does not exist in this user namespace`)
      return false
    }
  }

  #setXattrs(absolute: string | Buffer, entry: TarEntry): void {
    for (const [name, value] of entry.xattrs ?? []) {
      if (!isUnpackedXattr(name)) continue
      try {
        setXattr(absolute, name, value)
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code
        if (code !== 'ENOTSUP' && code !== 'EPERM') throw error
        this.#onSkipped(entry.path, `extended attribute ${name} cannot be set here`)
      }
    }
  }
}

function describe(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOSPC') return 'no space left on device'
  if (error.code === 'EDQUOT') return 'disk quota exceeded'
  if (error.code === 'ENAMETOOLONG') return 'file name too long'
  if (error.code === 'EINVAL' && error.syscall?.includes('chown'))
    return 'its owner is not mapped in this user namespace (more subordinate ids are needed)'
  return error.message
}
