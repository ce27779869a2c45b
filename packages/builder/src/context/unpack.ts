/**
 * Unpacks archives as content: they know no deletions, and entries may replace each other and what is there.
 *
 * The directory that is unpacked into is the root of everything in the archive: no name and no link leads out of it,
 * absolute links count from it, and nothing is made behind a link to what is not there. Devices and fifos are left out, as the reference does.
 */
import { closeSync, constants, linkSync, lstatSync, mkdirSync, openSync, rmSync, symlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { throwIfAborted } from '../errors.ts'
import { cleanPath, resolveInRoot } from '../util/inroot.ts'
import { fsPath } from '../util/raw-path.ts'
import type { ArchiveEntry } from './archive.ts'

/** What happens to what was made. Paths are host paths. */
export interface UnpackPolicy {
  /** Called before something is made: throws for names that are not wanted. */
  readonly check?: (path: string) => void
  /** A directory that the archive itself does not list was made. */
  readonly parent: (path: string) => void
  /** An entry was written; hard links are told like the file itself. Directories are told again with {@link directoryDone}. */
  readonly written: (path: string, entry: ArchiveEntry, isSymlink: boolean) => void
  /** Nothing more will be written: directories can have their time. In the order of the archive. */
  readonly directoryDone: (path: string, entry: ArchiveEntry) => void
}

/** What is wrong with an archive; becomes a BuildError of whoever unpacks. */
export class ArchiveError extends Error {}

const MAX_ID = 4294967294
const { O_WRONLY, O_CREAT, O_EXCL } = constants
const CREATE = O_WRONLY | O_CREAT | O_EXCL | (constants.O_NOFOLLOW ?? 0)

/**
 * Unpacks entries; what is there already gives way, except that directories are merged.
 *
 * @param into host path of an existing directory, free of links; nobody else writes there
 * @throws ArchiveError, what the policy throws, and errors of the file system and the archive's reader
 */
export async function unpackEntries(
  entries: AsyncIterable<ArchiveEntry>,
  into: string,
  policy: UnpackPolicy,
  signal: AbortSignal,
): Promise<void> {
  const directories: { path: string; entry: ArchiveEntry }[] = []
  for await (const entry of entries) {
    throwIfAborted(signal)
    const name = insideName(entry.path)
    if (name === '' || entry.type === 'char' || entry.type === 'block' || entry.type === 'fifo') continue
    if (!isId(entry.uid) || !isId(entry.gid)) throw new ArchiveError(`${entry.path} has an owner out of range`)
    const path = placeOf(into, name)
    policy.check?.(path)
    makeParents(into, dirname(path), policy)
    const isDirectory = entry.type === 'directory'
    const existing = lstatSync(fsPath(path), { throwIfNoEntry: false })
    const merged = isDirectory && existing?.isDirectory() === true
    if (existing !== undefined && !merged) rmSync(fsPath(path), { recursive: true, force: true })
    if (entry.type === 'file') await writeContent(path, entry)
    else if (isDirectory) {
      if (!merged) mkdirSync(fsPath(path), 0o700)
      directories.push({ path, entry })
    } else if (entry.type === 'symlink') symlinkSync(fsPath(entry.linkname ?? ''), fsPath(path))
    else linkSync(fsPath(linkSource(into, entry)), fsPath(path))
    policy.written(path, entry, entry.type === 'symlink' || (entry.type === 'hardlink' && isLink(path)))
  }
  for (const { path, entry } of directories) policy.directoryDone(path, entry)
}

export function isId(id: number): boolean {
  return Number.isInteger(id) && id >= 0 && id <= MAX_ID
}

function isLink(path: string): boolean {
  return lstatSync(fsPath(path)).isSymbolicLink()
}

/** A name of the archive, relative to where it is unpacked. */
export function insideName(path: string): string {
  const name = cleanPath(path.replace(/^\/+/, ''))
  if (name === '..' || name.startsWith('../'))
    throw new ArchiveError(`${JSON.stringify(path)} is outside of the archive`)
  return name === '.' ? '' : name
}

function placeOf(into: string, name: string): string {
  try {
    return resolveInRoot(into, name, false, false)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new ArchiveError(`open /${name}: no such file or directory`, { cause: error })
  }
}

function linkSource(into: string, entry: ArchiveEntry): string {
  const target = insideName(entry.linkname ?? '')
  const source = resolveInRoot(into, target, false)
  if (target === '' || lstatSync(fsPath(source), { throwIfNoEntry: false })?.isDirectory() !== false) {
    throw new ArchiveError(
      `${entry.path} is a hard link to ${JSON.stringify(entry.linkname)}, which is no file of the archive`,
    )
  }
  return source
}

/** Directories that the archive does not list. */
function makeParents(into: string, path: string, policy: UnpackPolicy): void {
  const missing: string[] = []
  for (let at = path; at !== into; at = dirname(at)) {
    const stat = lstatSync(fsPath(at), { throwIfNoEntry: false })
    if (stat?.isDirectory()) break
    if (stat !== undefined) throw new ArchiveError(`${at.slice(into.length)} is not a directory`)
    missing.push(at)
  }
  for (const at of missing.reverse()) {
    policy.check?.(at)
    mkdirSync(fsPath(at), 0o700)
    policy.parent(at)
  }
}

async function writeContent(path: string, entry: ArchiveEntry): Promise<void> {
  const fd = openSync(fsPath(path), CREATE, 0o600)
  try {
    for await (const chunk of entry.content) {
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at, chunk.length - at)
    }
  } finally {
    closeSync(fd)
  }
}
