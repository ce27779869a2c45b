/**
 * What a cache mount holds, as a tar archive: deterministic, with owners as the processes see them, and times in
 * milliseconds, which package managers compare.
 *
 * Processes may still change it. So each directory is opened once, below the one it is in, without following a link, and
 * everything in it is looked at, and read, by its descriptor. Whatever it is, it is bounded.
 */
import { type BigIntStats, closeSync, constants, fstatSync, opendirSync, openSync } from 'node:fs'
import { throwIfAborted } from '../errors.ts'
import { BLOCK, encodeHeader, paddingOf, type TarEntry } from '../layer/tar-header.ts'
import { isPackedXattr } from '../layer/xattrs.ts'
import { O_PATH, readLinkOf } from '../sandbox/native/files.ts'
import { type ContentFile, piecesOf } from '../util/content.ts'
import { hasCode } from '../util/has-code.ts'
import { compareNames, decodeName, encodePath, fsPath } from '../util/raw-path.ts'
import { getXattr, listXattrs } from '../util/syscalls.ts'
import type { LeftOut } from './worker-api.ts'

export interface ArchiveLimits {
  /** Bytes of the archive. */
  readonly maxSize: number
  readonly maxEntries: number
}

/** There is more than may be packed; the message says of what. */
export class TooMuch extends Error {}
/** A file is not any more what it was while it was read. */
export class StillChanging extends Error {}

/** What is deeper, or has longer names, could not be written down again everywhere. */
const MOST_LEVELS = 200
const LONGEST_PATH = 3000
const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants

export class MountArchive {
  readonly #limits: ArchiveLimits
  readonly #signal: AbortSignal
  readonly #linked = new Map<string, string>()
  #entries = 0
  #size = 0
  #leftOut: { files: number; example: string } | undefined

  constructor(limits: ArchiveLimits, signal: AbortSignal) {
    this.#limits = limits
    this.#signal = signal
  }

  /** What is not in the archive: sockets, devices, and what has vanished or cannot be read. */
  get leftOut(): LeftOut | undefined {
    return this.#leftOut
  }

  /** Whether there was nothing to be put into it. */
  get isEmpty(): boolean {
    return this.#entries === 0
  }

  get size(): number {
    return this.#size
  }

  /**
   * The archive of a directory.
   *
   * @throws TooMuch, StillChanging
   */
  *bytes(directory: string): Generator<Buffer> {
    const fd = openSync(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW)
    try {
      yield* this.#count(encodeHeader(entryOf('.', 'directory', fstatSync(fd, { bigint: true }), fd, directory)))
      yield* this.#directory(fd, '', 0)
      yield* this.#count(Buffer.alloc(2 * BLOCK))
    } finally {
      closeSync(fd)
    }
  }

  *#directory(fd: number, path: string, depth: number): Generator<Buffer> {
    for (const name of this.#namesIn(fd)) {
      throwIfAborted(this.#signal)
      const child = path === '' ? name : `${path}/${name}`
      // Names that say of something else that it is gone, to whoever unpacks an archive.
      if (name.startsWith('.wh.') || depth >= MOST_LEVELS || encodePath(child).length > LONGEST_PATH) {
        this.#leave(child)
        continue
      }
      const opened = openIn(fd, name)
      if (opened === undefined) continue
      try {
        yield* this.#entry(opened, `/proc/self/fd/${fd}/${name}`, child, depth)
      } finally {
        closeSync(opened)
      }
    }
  }

  *#entry(fd: number, place: string, path: string, depth: number): Generator<Buffer> {
    const stat = fstatSync(fd, { bigint: true })
    const type = typeOf(stat)
    if (type === undefined) {
      this.#leave(path)
      return
    }
    if (type !== 'directory' && stat.nlink > 1n) {
      const inode = `${stat.dev}:${stat.ino}`
      const first = this.#linked.get(inode)
      if (first !== undefined) {
        const link = { ...plainEntry(path, type, stat), type: 'hardlink', size: 0, linkname: first } as const
        yield* this.#count(encodeHeader(link))
        return
      }
      this.#linked.set(inode, path)
    }
    if (type === 'file') {
      yield* this.#file(fd, place, path, stat)
      return
    }
    yield* this.#count(encodeHeader(entryOf(path, type, stat, fd, place)))
    if (type === 'directory') yield* this.#directory(fd, path, depth + 1)
  }

  *#file(fd: number, place: string, path: string, stat: BigIntStats): Generator<Buffer> {
    const size = Number(stat.size)
    this.#check(this.#size + size)
    const content = contentOf(fd, path, stat)
    yield* this.#count(encodeHeader(entryOf(path, 'file', stat, fd, place)))
    if (size > 0) {
      for (const piece of piecesOf(content, size)) yield* this.#count(piece)
      yield* this.#count(Buffer.alloc(paddingOf(size)))
    }
  }

  *#count(bytes: Buffer): Generator<Buffer> {
    this.#size += bytes.length
    this.#check(this.#size)
    if (bytes.length > 0) yield bytes
  }

  #check(size: number): void {
    if (size > this.#limits.maxSize) throw new TooMuch(`it has more than ${this.#limits.maxSize} bytes`)
  }

  /** In the order of their bytes. Read one by one: a process may have made more than anybody can hold. */
  #namesIn(fd: number): string[] {
    const names: string[] = []
    const directory = opendirSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' as BufferEncoding, bufferSize: 256 })
    try {
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
        if (++this.#entries > this.#limits.maxEntries)
          throw new TooMuch(`it has more than ${this.#limits.maxEntries} files`)
        names.push(decodeName(entry.name as unknown as Buffer))
      }
    } finally {
      directory.closeSync()
    }
    return names.sort(compareNames)
  }

  #leave(path: string): void {
    this.#leftOut ??= { files: 0, example: path }
    this.#leftOut.files++
  }
}

/** undefined: it is gone by now. */
function openIn(fd: number, name: string): number | undefined {
  try {
    return openSync(fsPath(`/proc/self/fd/${fd}/${name}`), O_PATH | O_NOFOLLOW)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function typeOf(stat: BigIntStats): Kind | undefined {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'directory'
  return stat.isSymbolicLink() ? 'symlink' : undefined
}

type Kind = 'file' | 'directory' | 'symlink'

function plainEntry(path: string, type: Kind, stat: BigIntStats): TarEntry {
  // Rounded, so that what is unpacked from the archive has the same time in the next one.
  const ms = stat.mtimeNs < 0n ? 0n : (stat.mtimeNs + 500_000n) / 1_000_000n
  return {
    path,
    type,
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: type === 'file' ? Number(stat.size) : 0,
    mtime: Number(ms / 1000n),
    milliseconds: Number(ms % 1000n),
  }
}

/** @param place where it was opened: attributes are asked for by name, of whatever has it now, and no link is followed */
function entryOf(path: string, type: Kind, stat: BigIntStats, fd: number, place: string): TarEntry {
  const entry = plainEntry(path, type, stat)
  if (type === 'symlink') return { ...entry, mode: 0o777, linkname: readLinkOf(fd) }
  const named = fsPath(type === 'directory' ? `/proc/self/fd/${fd}/.` : place)
  const xattrs = listXattrs(named)
    .filter(isPackedXattr)
    .flatMap((name): [string, Buffer][] => {
      const value = getXattr(named, name)
      return value === undefined ? [] : [[name, value]]
    })
  return xattrs.length === 0 ? entry : { ...entry, xattrs }
}

function contentOf(fd: number, path: string, stat: BigIntStats): ContentFile {
  return {
    open: () => openSync(`/proc/self/fd/${fd}`, O_RDONLY),
    isSame(opened) {
      const now = fstatSync(opened, { bigint: true })
      return now.mtimeNs === stat.mtimeNs && now.size === stat.size
    },
    changed: () => new StillChanging(`/${path} was written to`),
  }
}
