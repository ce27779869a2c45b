/**
 * Writes the entries of one matched source into a root filesystem.
 *
 * Only the destination itself was resolved through links; below it a link of the image is never followed: a directory
 * that is to be written onto it fails, a file takes its place.
 */
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
  readSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { promisify } from 'node:util'
import { contextErrors } from '../../context/errors.ts'
import { isSame } from '../../context/local.ts'
import type { Tree } from '../../context/tree.ts'
import type { SelectedEntry } from '../../graph/file-op.ts'
import type { Chmod } from '../../util/chmod.ts'
import { fsPath } from '../../util/raw-path.ts'
import { decodeDevice, makeNode, NODE_TYPE, setTimes, setTimesOf } from '../../util/syscalls.ts'
import { type Destination, inRoot, refuseWhiteout } from './destination.ts'
import { fileErrors } from './errors.ts'
import type { Ids } from './owner.ts'
import { copiedXattrs, setXattrs } from './xattrs.ts'

/** What every entry of one COPY has in common. */
export interface WriteRules {
  /** Owner of everything written; undefined keeps each entry's own. */
  readonly owner: Ids | undefined
  readonly chmod: Chmod | undefined
  /** Time of files: their source's, a given one, or when they are written. */
  readonly mtimeNs: bigint | 'source' | 'now'
}

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
/** Larger files are copied by the kernel (as clones where the file system can), off the main thread. */
const COPY_BY_KERNEL = 1024 * 1024
const SETGID = 0o2000

interface OpenDirectory {
  readonly target: string
  readonly path: string
  /** Made just now, so nothing can be in the way inside. */
  readonly fresh: boolean
  /** Whether new files inside belong to whoever makes them: not so where a setgid bit gives them another group. */
  readonly neutral: boolean
  /** Given when everything inside is written; undefined for directories that keep theirs. */
  readonly mtimeNs: bigint | undefined
}

/** Writes one matched source: entries in order, then {@link finish}. */
export class EntryWriter {
  readonly #root: string
  readonly #tree: Tree | undefined
  readonly #rules: WriteRules
  readonly #buffer: Buffer
  readonly #destination: Destination
  readonly #links = new Map<string, string>()
  readonly #open: OpenDirectory[] = []
  readonly #asRoot = process.geteuid?.() === 0 && process.getegid?.() === 0

  /**
   * @param tree where content is read; not needed for {@link writeData}
   * @param buffer scratch space, shared by the writers of one step: at least {@link WRITE_BUFFER} bytes
   */
  constructor(root: string, tree: Tree | undefined, rules: WriteRules, buffer: Buffer, destination: Destination) {
    this.#root = root
    this.#tree = tree
    this.#rules = rules
    this.#buffer = buffer
    this.#destination = destination
  }

  /** Writes one entry. Returns a promise only where a large file has to be waited for. */
  write(entry: SelectedEntry): Promise<void> | undefined {
    const { target } = entry
    while (this.#open.length > 0 && !isBelow(target, this.#open[this.#open.length - 1]!.target)) this.#close()
    const path =
      target === ''
        ? this.#destination.path
        : `${this.#destination.path === '/' ? '' : this.#destination.path}/${target}`
    refuseWhiteout(this.#root, path)
    if (entry.type === 'directory') this.#directory(path, entry)
    else if (entry.type === 'file') return this.#file(path, entry)
    else this.#other(path, entry)
    return undefined
  }

  /** Writes a file whose content is at hand, as the matched source itself. */
  writeData(entry: SelectedEntry, data: Buffer): void {
    refuseWhiteout(this.#root, this.#destination.path)
    this.#bytes(this.#destination.path, data, entry)
  }

  /** Gives the directories their times. */
  finish(): void {
    while (this.#open.length > 0) this.#close()
  }

  #close(): void {
    const directory = this.#open.pop()!
    if (directory.mtimeNs !== undefined) setTimes(fsPath(directory.path), directory.mtimeNs)
  }

  get #inFresh(): boolean {
    return this.#open[this.#open.length - 1]?.fresh === true
  }

  #directory(path: string, entry: SelectedEntry): void {
    const { target, mtimeNs } = entry
    const raw = fsPath(path)
    if (target === '') {
      // The destination keeps what it has (0755 if it was made just now), but gets the source's time.
      const mode = this.#requireDirectory(path)
      const { fresh } = this.#destination
      this.#open.push({ target, path, fresh, neutral: (mode & SETGID) === 0, mtimeNs })
      return
    }
    let fresh = true
    try {
      mkdirSync(raw, 0o700)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      this.#requireDirectory(path)
      fresh = false
    }
    if (fresh || entry.implied !== true) {
      const { uid, gid } = this.#rules.owner ?? entry
      this.#chown(path, () => lchownSync(raw, uid, gid), uid, gid)
      const mode = this.#rules.chmod?.apply(entry.mode, true) ?? entry.mode
      chmodSync(raw, mode)
      this.#xattrs(path, entry)
      this.#open.push({ target, path, fresh, neutral: (mode & SETGID) === 0, mtimeNs })
    } else {
      chmodSync(raw, entry.mode)
      this.#open.push({ target, path, fresh, neutral: (entry.mode & SETGID) === 0, mtimeNs: undefined })
    }
  }

  #requireDirectory(path: string): number {
    const stat = lstatSync(fsPath(path))
    if (!stat.isDirectory()) throw fileErrors.notDirectory([inRoot(this.#root, path)])
    return stat.mode
  }

  #file(path: string, entry: SelectedEntry): Promise<void> | undefined {
    if (entry.nlink > 1) {
      const key = `${entry.dev}:${entry.ino}`
      const first = this.#links.get(key)
      if (first !== undefined) {
        this.#replacing(path, () => linkSync(fsPath(first), fsPath(path)))
        return undefined
      }
      this.#links.set(key, path)
    }
    const source = this.#tree!.open(entry.source, entry)
    if (entry.size > COPY_BY_KERNEL) return this.#largeFile(path, source, entry).finally(() => closeSync(source))
    try {
      this.#smallFile(path, source, entry)
    } finally {
      closeSync(source)
    }
    return undefined
  }

  #smallFile(path: string, source: number, entry: SelectedEntry): void {
    let length = 0
    while (length <= entry.size) {
      const read = readSync(source, this.#buffer, length, this.#buffer.length - length, null)
      if (read === 0) break
      length += read
    }
    this.#verify(length, source, entry)
    this.#bytes(path, this.#buffer.subarray(0, length), entry)
  }

  #bytes(path: string, data: Buffer, entry: SelectedEntry): void {
    const fd = this.#replacing(path, () => openSync(fsPath(path), CREATE, 0o600))
    try {
      for (let at = 0; at < data.length; ) at += writeSync(fd, data, at, data.length - at)
      this.#attributes(fd, path, entry)
    } catch (error) {
      // Calls on descriptors do not tell which file they failed for.
      if (error instanceof Error) Object.assign(error, { path })
      throw error
    } finally {
      closeSync(fd)
    }
  }

  async #largeFile(path: string, source: number, entry: SelectedEntry): Promise<void> {
    const { COPYFILE_EXCL, COPYFILE_FICLONE } = constants
    // Made and taken away again: clears the way as for small files.
    this.#replacing(path, () => closeSync(openSync(fsPath(path), CREATE, 0o600)))
    unlinkSync(fsPath(path))
    await promisify(copyFile)(`/proc/self/fd/${source}`, fsPath(path), COPYFILE_EXCL | COPYFILE_FICLONE)
    const fd = openSync(fsPath(path), constants.O_WRONLY | constants.O_NOFOLLOW)
    try {
      this.#verify(entry.size, source, entry)
      this.#attributes(fd, path, entry)
    } finally {
      closeSync(fd)
    }
  }

  #verify(length: number, source: number, entry: SelectedEntry): void {
    if (length !== entry.size || !isSame(source, entry)) throw contextErrors.changed([entry.source])
  }

  #attributes(fd: number, path: string, entry: SelectedEntry): void {
    const { uid, gid } = this.#rules.owner ?? entry
    const isSettled = uid === 0 && gid === 0 && this.#asRoot && this.#open[this.#open.length - 1]?.neutral === true
    if (!isSettled) this.#chown(path, () => fchownSync(fd, uid, gid), uid, gid)
    fchmodSync(fd, this.#rules.chmod?.apply(entry.mode, false) ?? entry.mode)
    this.#xattrs(path, entry)
    const { mtimeNs } = this.#rules
    if (mtimeNs !== 'now') setTimesOf(fd, mtimeNs === 'source' ? entry.mtimeNs : mtimeNs)
  }

  #other(path: string, entry: SelectedEntry): void {
    const raw = fsPath(path)
    const { uid, gid } = this.#rules.owner ?? entry
    this.#replacing(path, () => this.#create(path, entry))
    this.#chown(path, () => lchownSync(raw, uid, gid), uid, gid)
    if (entry.type !== 'symlink') chmodSync(raw, this.#rules.chmod?.apply(entry.mode, false) ?? entry.mode)
    this.#xattrs(path, entry)
    setTimes(raw, entry.mtimeNs)
  }

  /** After owner and mode: a change of owner takes capabilities away, and one of mode changes an access list. */
  #xattrs(path: string, entry: SelectedEntry): void {
    if (this.#tree !== undefined) setXattrs(fsPath(path), copiedXattrs(this.#tree, entry.source))
  }

  #create(path: string, entry: SelectedEntry): void {
    const raw = fsPath(path)
    if (entry.type === 'symlink') symlinkSync(fsPath(entry.linkname!), raw)
    // Sockets of a context are empty files: nobody listens in an image.
    else if (entry.type === 'socket') closeSync(openSync(raw, CREATE, 0o600))
    else {
      const device = decodeDevice(entry.rdev)
      if (entry.type === 'char' && device.major === 0 && device.minor === 0) {
        throw fileErrors.whiteoutDevice([inRoot(this.#root, path)])
      }
      makeNode(raw, NODE_TYPE[entry.type as keyof typeof NODE_TYPE] | 0o600, device)
    }
  }

  /** Runs a call that creates `path`; a file or link that is there already has to go first. */
  #replacing<T>(path: string, create: () => T): T {
    try {
      return create()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || this.#inFresh) throw error
      const raw = fsPath(path)
      if (lstatSync(raw).isDirectory()) throw fileErrors.replaceDirectory([inRoot(this.#root, path)])
      unlinkSync(raw)
      return create()
    }
  }

  #chown(path: string, chown: () => void, uid: number, gid: number): void {
    try {
      chown()
    } catch (error) {
      // Outside of the ids that a user namespace maps.
      if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
      throw fileErrors.unmappedOwner([inRoot(this.#root, path), uid, gid], { cause: error })
    }
  }
}

/** Size of the scratch buffer: one byte more than the largest file that is read into it, to notice growth. */
export const WRITE_BUFFER = COPY_BY_KERNEL + 1

function isBelow(path: string, directory: string): boolean {
  return directory === '' || (path.startsWith(directory) && path[directory.length] === '/')
}
