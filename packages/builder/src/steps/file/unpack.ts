/**
 * Unpacks archives that ADD found among its sources. An archive here is content, not a layer: it knows no deletions.
 *
 * The destination is the root of everything in the archive: no name and no link leads out of it, absolute links count
 * from it. Devices and fifos are left out, as the reference does.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { BuildError, throwIfAborted } from '../../errors.ts'
import { cleanPath, resolveInRoot } from '../../util/inroot.ts'
import { fsPath } from '../../util/raw-path.ts'
import { setTimes, setXattr } from '../../util/syscalls.ts'
import { refuseWhiteout } from './destination.ts'
import { fileErrors } from './errors.ts'
import type { Ids } from './owner.ts'

/** One entry of an archive; its content, if it is not read, is skipped when the next entry is asked for. */
export interface ArchiveEntry {
  readonly path: string
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'char' | 'block'
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  /** Seconds since the epoch. */
  readonly mtime: number
  readonly linkname?: string | undefined
  readonly xattrs?: readonly (readonly [name: string, value: Buffer])[] | undefined
  readonly content: AsyncIterable<Uint8Array>
}

/** Reads a tar archive, plain or compressed in any way that ADD knows. Rejects for anything else. */
export type ReadArchive = (input: AsyncIterable<Uint8Array>, signal?: AbortSignal) => AsyncIterable<ArchiveEntry>

const CHUNK = 256 * 1024
const MAX_ID = 4294967294

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
  const head = Buffer.alloc(512)
  const length = readSync(fd, head, 0, head.length, 0)
  if (!isCompressed(head.subarray(0, length)) && !isTarHeader(head.subarray(0, length))) return undefined
  const entries = readArchive(readFrom(fd), signal)[Symbol.asyncIterator]()
  let first: IteratorResult<ArchiveEntry>
  try {
    first = await entries.next()
  } catch {
    // Compressed, but no tar archive: an ordinary file.
    throwIfAborted(signal)
    return undefined
  }
  if (first.done === true) return undefined
  return restOf(first.value, entries)
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

function isCompressed(head: Buffer): boolean {
  const magics = ['1f8b', '425a68', 'fd377a585a00', '28b52ffd']
  return magics.some((magic) => head.toString('hex', 0, magic.length / 2) === magic)
}

/** Whether a block is a tar header: its checksum counts its own field as blanks. */
function isTarHeader(head: Buffer): boolean {
  if (head.length < 512) return false
  const stored = Number.parseInt(head.toString('latin1', 148, 156).replace(/[\0 ]+$/, ''), 8)
  let unsigned = 8 * 0x20
  let signed = 8 * 0x20
  for (let i = 0; i < 512; i++) {
    if (i >= 148 && i < 156) continue
    unsigned += head[i]!
    signed += head.readInt8(i)
  }
  return stored === unsigned || stored === signed
}

export interface UnpackOptions {
  /** Host path of the directory to unpack into, free of links. */
  readonly into: string
  readonly root: string
  /** Owner of everything; undefined keeps the archive's. */
  readonly owner: Ids | undefined
  /** What messages call the archive. */
  readonly name: string
  readonly signal: AbortSignal
}

/**
 * Unpacks entries; what is there already gives way, except that directories are merged.
 *
 * @throws BuildError ADD_ARCHIVE_INVALID, COPY_WHITEOUT_NAME
 */
export async function unpack(entries: AsyncIterable<ArchiveEntry>, options: UnpackOptions): Promise<void> {
  const times: { path: string; mtimeNs: bigint }[] = []
  try {
    for await (const entry of entries) {
      throwIfAborted(options.signal)
      const name = insideName(entry.path)
      if (name === '' || entry.type === 'char' || entry.type === 'block' || entry.type === 'fifo') continue
      if (!(entry.uid >= 0 && entry.uid <= MAX_ID && entry.gid >= 0 && entry.gid <= MAX_ID)) {
        throw new Refused(`${entry.path} has an owner out of range`)
      }
      const path = resolveInRoot(options.into, name, false)
      refuseWhiteout(options.root, path)
      makeParents(options, dirname(path))
      const mtimeNs = toNs(entry.mtime)
      const existing = lstatSync(fsPath(path), { throwIfNoEntry: false })
      if (existing !== undefined && !(existing.isDirectory() && entry.type === 'directory')) {
        rmSync(fsPath(path), { recursive: true, force: true })
      }
      if (entry.type === 'file') await writeFile(path, entry, mtimeNs, options)
      else writeOther(path, entry, mtimeNs, options, existing?.isDirectory() === true)
      if (entry.type === 'directory') times.push({ path, mtimeNs })
    }
  } catch (error) {
    throwIfAborted(options.signal)
    if (error instanceof BuildError) throw error
    throw fileErrors.archive([options.name, (error as Error).message], { cause: error })
  }
  for (const { path, mtimeNs } of times) setTimes(fsPath(path), mtimeNs)
}

/** Becomes ADD_ARCHIVE_INVALID. */
class Refused extends Error {}

/** A name of the archive, relative to where it is unpacked. */
function insideName(path: string): string {
  const name = cleanPath(path.replace(/^\/+/, ''))
  if (name === '..' || name.startsWith('../')) throw new Refused(`${JSON.stringify(path)} lies outside of the archive`)
  return name === '.' ? '' : name
}

/** Directories that the archive itself does not list. */
function makeParents(options: UnpackOptions, path: string): void {
  const missing: string[] = []
  for (let at = path; at !== options.into; at = dirname(at)) {
    const stat = lstatSync(fsPath(at), { throwIfNoEntry: false })
    if (stat?.isDirectory()) break
    if (stat !== undefined) throw new Refused(`${at.slice(options.into.length)} is not a directory`)
    missing.push(at)
  }
  for (const at of missing.reverse()) {
    refuseWhiteout(options.root, at)
    mkdirSync(fsPath(at))
    lchownSync(fsPath(at), 0, 0)
    chmodSync(fsPath(at), 0o755)
  }
}

async function writeFile(path: string, entry: ArchiveEntry, mtimeNs: bigint, options: UnpackOptions): Promise<void> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  const fd = openSync(fsPath(path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    for await (const chunk of entry.content) {
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at, chunk.length - at)
    }
    const { uid, gid } = options.owner ?? entry
    fchownSync(fd, uid, gid)
    fchmodSync(fd, entry.mode)
  } finally {
    closeSync(fd)
  }
  for (const [name, value] of entry.xattrs ?? []) {
    if (name === 'security.capability') setXattr(fsPath(path), name, value)
  }
  setTimes(fsPath(path), mtimeNs)
}

function writeOther(path: string, entry: ArchiveEntry, mtimeNs: bigint, options: UnpackOptions, exists: boolean): void {
  const raw = fsPath(path)
  if (entry.type === 'directory') {
    if (!exists) mkdirSync(raw)
  } else if (entry.type === 'symlink') symlinkSync(fsPath(entry.linkname ?? ''), raw)
  else {
    const target = insideName(entry.linkname ?? '')
    const source = resolveInRoot(options.into, target, false)
    if (target === '' || lstatSync(fsPath(source), { throwIfNoEntry: false })?.isDirectory() !== false) {
      throw new Refused(
        `${entry.path} is a hard link to ${JSON.stringify(entry.linkname)}, which is no file of the archive`,
      )
    }
    linkSync(fsPath(source), raw)
  }
  const { uid, gid } = options.owner ?? entry
  lchownSync(raw, uid, gid)
  if (entry.type === 'directory') chmodSync(raw, entry.mode)
  else if (!lstatSync(raw).isSymbolicLink()) {
    chmodSync(raw, entry.mode)
    setTimes(raw, mtimeNs)
  } else setTimes(raw, mtimeNs)
}

/** Times before 1970 become 1970, as the reference has it for archives. */
function toNs(seconds: number): bigint {
  const whole = Math.floor(seconds)
  return whole < 0 ? 0n : BigInt(whole) * 1_000_000_000n + BigInt(Math.round((seconds - whole) * 1e9))
}
