/** Unpacks archives that ADD found among its sources into a root filesystem. */
import { chmodSync, lchownSync, readSync } from 'node:fs'
import { ARCHIVE_HEAD, type ArchiveEntry, looksLikeArchive, type ReadArchive } from '../../context/archive.ts'
import { unpackEntries } from '../../context/unpack.ts'
import { BuildError, throwIfAborted } from '../../errors.ts'
import { fsPath } from '../../util/raw-path.ts'
import { setTimes } from '../../util/syscalls.ts'
import { inRoot, refuseWhiteout } from './destination.ts'
import { fileErrors } from './errors.ts'
import type { Ids } from './owner.ts'
import { setXattrs } from './xattrs.ts'

const CHUNK = 256 * 1024

/**
 * Opens the archive in a file, if it is one: by its content, whatever its name is.
 *
 * @param fd stays the caller's; read by position, so its offset does not matter
 */
export async function openArchive(
  fd: number,
  readArchive: ReadArchive,
  signal: AbortSignal,
): Promise<AsyncGenerator<ArchiveEntry> | undefined> {
  const head = Buffer.alloc(ARCHIVE_HEAD)
  const length = readSync(fd, head, 0, head.length, 0)
  if (!looksLikeArchive(head.subarray(0, length))) return undefined
  const entries = readArchive(readFrom(fd), signal)[Symbol.asyncIterator]()
  let first: IteratorResult<ArchiveEntry>
  try {
    first = await entries.next()
  } catch {
    // Compressed, but no tar archive: an ordinary file.
    throwIfAborted(signal)
    return undefined
  }
  return first.done === true ? undefined : restOf(first.value, entries)
}

async function* restOf(first: ArchiveEntry, entries: AsyncIterator<ArchiveEntry>): AsyncGenerator<ArchiveEntry> {
  try {
    yield first
    for (let next = await entries.next(); next.done !== true; next = await entries.next()) yield next.value
  } finally {
    await entries.return?.()
  }
}

async function* readFrom(fd: number): AsyncGenerator<Uint8Array> {
  for (let position = 0; ; ) {
    const chunk = Buffer.allocUnsafe(CHUNK)
    const length = readSync(fd, chunk, 0, CHUNK, position)
    if (length === 0) return
    position += length
    yield chunk.subarray(0, length)
  }
}

export interface UnpackOptions {
  readonly root: string
  /** Host path of the directory to unpack into, free of links. */
  readonly into: string
  /** Owner of everything; undefined keeps the archive's. */
  readonly owner: Ids | undefined
  /** What messages call the archive. */
  readonly name: string
  readonly signal: AbortSignal
}

/**
 * Unpacks entries with their modes and times, and their owners unless there is another one.
 *
 * @throws BuildError ADD_ARCHIVE_INVALID, COPY_WHITEOUT_NAME, OWNER_NOT_MAPPED
 */
export async function unpack(entries: AsyncIterable<ArchiveEntry>, options: UnpackOptions): Promise<void> {
  const { root, into, owner, name, signal } = options
  const chown = (path: string, { uid, gid }: Ids) => {
    try {
      lchownSync(fsPath(path), uid, gid)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
      throw fileErrors.unmappedOwner([inRoot(root, path), uid, gid], { cause: error })
    }
  }
  const policy = {
    check: (path: string) => refuseWhiteout(root, path),
    parent(path: string) {
      chown(path, { uid: 0, gid: 0 })
      chmodSync(fsPath(path), 0o755)
    },
    written(path: string, entry: ArchiveEntry, isSymlink: boolean) {
      chown(path, owner ?? entry)
      if (!isSymlink) chmodSync(fsPath(path), entry.mode)
      if (!isSymlink) setXattrs(fsPath(path), entry.xattrs ?? [])
      if (entry.type !== 'directory') setTimes(fsPath(path), toNs(entry.mtime))
    },
    directoryDone: (path: string, entry: ArchiveEntry) => setTimes(fsPath(path), toNs(entry.mtime)),
  }
  try {
    await unpackEntries(entries, into, policy, signal)
  } catch (error) {
    throwIfAborted(signal)
    // What the operating system refuses is told as for every other operation.
    if (error instanceof BuildError || (error as NodeJS.ErrnoException).syscall !== undefined) throw error
    throw fileErrors.archive([name, (error as Error).message], { cause: error })
  }
}

/** Times before 1970 become 1970, as the reference has it for archives. */
function toNs(seconds: number): bigint {
  const whole = Math.floor(seconds)
  return whole < 0 ? 0n : BigInt(whole) * 1_000_000_000n + BigInt(Math.round((seconds - whole) * 1e9))
}
