/**
 * Unpacks archives that ADD found among its sources.
 *
 * They are content: they know no deletions, and entries may replace each other and what is there. The directory that is
 * unpacked into is the root of everything in the archive: no name and no link leads out of it, absolute links count from
 * it, and nothing is made behind a link to what is not there. Devices and fifos are left out, as the reference does.
 */
import { ARCHIVE_HEAD, type ArchiveEntry, looksLikeArchive, type ReadArchive } from '../../context/archive.ts'
import { ArchiveError, insideName, isId } from '../../context/unpack.ts'
import { BuildError, throwIfAborted } from '../../errors.ts'
import type { Leaf, Xattr } from '../../layer/file-tree.ts'
import { isUnpackedXattr } from '../../layer/xattrs.ts'
import { type Content, piecesOf } from '../../util/content.ts'
import { refuseWhiteout } from './destination.ts'
import { type Draft, split } from './draft.ts'
import { fileErrors } from './errors.ts'
import type { Ids } from './owner.ts'
import type { Spool } from './spool.ts'
import { mergeXattrs } from './xattrs.ts'

/** Opens the archive that a file holds, if it is one: by its content, whatever its name is. */
export async function openArchive(
  content: Content,
  size: number,
  readArchive: ReadArchive,
  signal: AbortSignal,
): Promise<AsyncGenerator<ArchiveEntry> | undefined> {
  if (!looksLikeArchive(headOf(content, size))) return undefined
  const entries = readArchive(bytesOf(content, size), signal)[Symbol.asyncIterator]()
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

function headOf(content: Content, size: number): Buffer {
  for (const piece of piecesOf(content, size)) return Buffer.from(piece.subarray(0, ARCHIVE_HEAD))
  return Buffer.of()
}

async function* bytesOf(content: Content, size: number): AsyncGenerator<Uint8Array> {
  // Whoever decompresses a piece may have it for longer than until the next one is asked for.
  for (const piece of piecesOf(content, size)) yield Buffer.from(piece)
}

async function* restOf(first: ArchiveEntry, entries: AsyncIterator<ArchiveEntry>): AsyncGenerator<ArchiveEntry> {
  try {
    yield first
    for (let next = await entries.next(); next.done !== true; next = await entries.next()) yield next.value
  } finally {
    await entries.return?.()
  }
}

/** They are all in memory until the layer is written. */
const MOST_ENTRIES = 2_000_000
/** No system call takes a longer path. */
const LONGEST_PATH = 4095

export interface UnpackOptions {
  /** The directory to unpack into, free of links. */
  readonly into: string
  /** Owner of everything; undefined keeps the archive's. */
  readonly owner: Ids | undefined
  /** What messages call the archive. */
  readonly name: string
  /** Keeps contents until the layer is written. */
  readonly spool: Spool
  readonly signal: AbortSignal
}

/**
 * Unpacks entries with their modes and times, and their owners unless there is another one.
 *
 * @throws BuildError ADD_ARCHIVE_INVALID, COPY_WHITEOUT_NAME
 */
export async function unpack(
  entries: AsyncIterable<ArchiveEntry>,
  draft: Draft,
  options: UnpackOptions,
): Promise<void> {
  const { name, signal } = options
  const times: [path: string, mtimeNs: bigint][] = []
  let count = 0
  try {
    for await (const entry of entries) {
      throwIfAborted(signal)
      if (++count > MOST_ENTRIES) throw new ArchiveError(`it has more than ${MOST_ENTRIES} entries`)
      if (entry.path.length > LONGEST_PATH) throw new ArchiveError(`${entry.path.slice(0, 100)}…: file name too long`)
      await unpackEntry(entry, draft, options, times)
    }
  } catch (error) {
    throwIfAborted(signal)
    // What the operating system refuses is told as for every other operation.
    if (error instanceof BuildError || (error as NodeJS.ErrnoException).syscall !== undefined) throw error
    throw fileErrors.archive([name, (error as Error).message], { cause: error })
  }
  // When nothing more comes into them. Some may have been replaced.
  for (const [path, mtimeNs] of times)
    if (draft.lstat(path)?.type === 'directory') draft.directory(path).mtimeNs = mtimeNs
}

async function unpackEntry(
  entry: ArchiveEntry,
  draft: Draft,
  { into, owner, spool }: UnpackOptions,
  times: [path: string, mtimeNs: bigint][],
): Promise<void> {
  const name = insideName(entry.path)
  if (name === '' || entry.type === 'char' || entry.type === 'block' || entry.type === 'fifo') return
  if (!isId(entry.uid) || !isId(entry.gid)) throw new ArchiveError(`${entry.path} has an owner out of range`)
  const path = placeOf(draft, into, name)
  refuseWhiteout(path)
  makeParents(draft, into, split(path)[0])
  const { uid, gid } = owner ?? entry
  const { mode } = entry
  const mtimeNs = toNs(entry.mtime)
  if (entry.type === 'directory') {
    const existing = draft.lstat(path)
    if (existing !== undefined && existing.type !== 'directory') draft.remove(path)
    const directory = existing?.type === 'directory' ? draft.directory(path) : draft.mkdir(path, { mode, uid, gid })
    Object.assign(directory, { mode, uid, gid })
    directory.xattrs = mergeXattrs(directory.xattrs, xattrsOf(entry))
    times.push([path, mtimeNs])
    return
  }
  const common = { uid, gid, mtimeNs, size: 0, xattrs: xattrsOf(entry), names: 0 }
  if (entry.type === 'symlink')
    draft.put(path, { ...common, type: 'symlink', mode: 0o777, xattrs: [], linkname: entry.linkname ?? '' })
  else if (entry.type === 'file') {
    const { content, size } = await spool.add(entry.content)
    draft.put(path, { ...common, type: 'file', mode, size, content })
  } else {
    if (draft.lstat(path) !== undefined) draft.remove(path)
    draft.link(linkSource(draft, into, entry), path)
    // Told like the file itself.
    const leaf = draft.lstat(path) as Leaf
    const attributes =
      leaf.type === 'symlink' ? { uid, gid } : { uid, gid, mode, xattrs: mergeXattrs(leaf.xattrs, common.xattrs) }
    Object.assign(leaf, attributes, { mtimeNs })
  }
}

function xattrsOf({ xattrs = [] }: ArchiveEntry): readonly Xattr[] {
  return xattrs.filter(([name]) => isUnpackedXattr(name))
}

function placeOf(draft: Draft, into: string, name: string): string {
  try {
    return draft.resolve(name, { followLast: false, dangling: false, base: into })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new ArchiveError(`open /${name}: no such file or directory`, { cause: error })
  }
}

function linkSource(draft: Draft, into: string, entry: ArchiveEntry): string {
  const target = insideName(entry.linkname ?? '')
  const source = draft.resolve(target, { followLast: false, base: into })
  const node = draft.lstat(source)
  if (target === '' || node === undefined || node.type === 'directory') {
    throw new ArchiveError(
      `${entry.path} is a hard link to ${JSON.stringify(entry.linkname)}, which is no file of the archive`,
    )
  }
  return source
}

/** Directories that the archive does not list. */
function makeParents(draft: Draft, into: string, path: string): void {
  const missing: string[] = []
  for (let at = path; at !== into; at = split(at)[0]) {
    const node = draft.lstat(at)
    if (node?.type === 'directory') break
    if (node !== undefined) throw new ArchiveError(`/${at.slice(into.length).replace(/^\//, '')} is not a directory`)
    missing.push(at)
  }
  for (const at of missing.reverse()) {
    refuseWhiteout(at)
    draft.mkdir(at, { mode: 0o755, uid: 0, gid: 0 })
  }
}

/** Times before 1970 become 1970, as the reference has it for archives. */
function toNs(seconds: number): bigint {
  const whole = Math.floor(seconds)
  return whole < 0 ? 0n : BigInt(whole) * 1_000_000_000n + BigInt(Math.round((seconds - whole) * 1e9))
}
