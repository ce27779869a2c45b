/**
 * Does to a root filesystem what file operations say: runs in the worker, on an active snapshot that nobody else writes.
 */
import { closeSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { ReadArchive } from '../../context/archive.ts'
import { openLocalContext } from '../../context/local.ts'
import type { Tree } from '../../context/tree.ts'
import { BuildError, throwIfAborted } from '../../errors.ts'
import type { ChownSpec, CopyOp, MkdirOp, SelectedEntry, WriteOp } from '../../graph/file-op.ts'
import { type Chmod, parseChmod } from '../../util/chmod.ts'
import { relativeToRoot, resolveInRoot } from '../../util/inroot.ts'
import { type DirectoryAttributes, DirectoryMaker, inRoot, prepareDestination } from './destination.ts'
import { fileErrors } from './errors.ts'
import { type Ids, resolveOwner } from './owner.ts'
import { openArchive, unpack } from './unpack.ts'
import { EntryWriter, WRITE_BUFFER } from './write-entries.ts'

/** An operation with the files it reads. */
export type OpenedOp =
  | MkdirOp
  | WriteOp
  | {
      readonly op: CopyOp
      readonly tree: Tree
      readonly entries: Iterable<SelectedEntry> | AsyncIterable<SelectedEntry>
    }

export interface ApplyOptions {
  readonly signal: AbortSignal
  readonly readArchive: ReadArchive
  /** Root filesystem in which names of owners are looked up; default: the one that is written. */
  readonly accounts?: string | undefined
  /** Entries and bytes written so far, now and then. */
  readonly onProgress?: ((progress: { entries: number; bytes: number }) => void) | undefined
}

/** Milliseconds of work after which others get their turn. */
const SLICE_MS = 20
const DEFAULT_DIRECTORY_MODE = 0o755

/**
 * Applies operations in order.
 *
 * @param root absolute path of the root filesystem, free of links
 * @throws BuildError of {@link fileErrors}; CONTEXT_CHANGED; CANCELLED. What was written by then stays: the caller drops it.
 */
export async function applyFileOps(root: string, ops: Iterable<OpenedOp>, options: ApplyOptions): Promise<void> {
  const step = new FileStepRun(root, options)
  try {
    for (const op of ops) {
      throwIfAborted(options.signal)
      if (op.op === 'mkdir') step.mkdir(op)
      else if (op.op === 'write') await step.write(op)
      else await step.copy(op.op, op.tree, op.entries)
    }
  } catch (error) {
    throw inWords(error, root)
  }
}

class FileStepRun {
  readonly #root: string
  readonly #options: ApplyOptions
  readonly #buffer = Buffer.allocUnsafeSlow(WRITE_BUFFER)
  #entries = 0
  #bytes = 0
  #until = 0

  constructor(root: string, options: ApplyOptions) {
    this.#root = root
    this.#options = options
  }

  mkdir(op: MkdirOp): void {
    const maker = new DirectoryMaker(this.#root, toNs(op.mtime))
    maker.make(resolveInRoot(this.#root, relativeToRoot(op.path)), { mode: op.mode, owner: this.#owner(op.owner) })
    maker.finish()
  }

  async copy(op: CopyOp, tree: Tree, entries: Iterable<SelectedEntry> | AsyncIterable<SelectedEntry>): Promise<void> {
    const chmod = op.chmod === undefined ? undefined : parseChmod(op.chmod)
    const chown = this.#owner(op.chown)
    const rules = { owner: chown ?? (op.keepOwner ? undefined : ROOT), chmod, mtimeNs: 'source' as const }
    const maker = new DirectoryMaker(this.#root, toNs(op.mtime))
    const parents = parentAttributes(chmod, chown)
    let writer: EntryWriter | undefined
    for await (const entry of entries) {
      if (performance.now() > this.#until) await this.#pause()
      if (entry.name !== undefined) {
        writer?.finish()
        writer = undefined
        if (op.unpack !== 'never' && (await this.#unpackSource(op.dest, tree, entry, chown, maker, parents))) continue
        const source = { name: entry.name, isDirectory: entry.type === 'directory' }
        const destination = prepareDestination(this.#root, op.dest, source, maker, parents)
        writer = new EntryWriter(this.#root, tree, rules, this.#buffer, destination)
      }
      const waiting = writer?.write(entry)
      if (waiting !== undefined) await waiting
      this.#entries++
      this.#bytes += entry.size
    }
    writer?.finish()
    maker.finish()
    this.#report()
  }

  async write(op: WriteOp): Promise<void> {
    const chmod = op.chmod === undefined ? undefined : parseChmod(op.chmod)
    const chown = this.#owner(op.chown)
    const maker = new DirectoryMaker(this.#root, toNs(op.mtime))
    const parents = parentAttributes(chmod, chown)
    const { entry, tree, data } = sourceOf(op)
    const unpacked =
      op.unpack !== 'never' && tree && (await this.#unpackSource(op.dest, tree, entry, chown, maker, parents))
    if (unpacked !== true) {
      const destination = prepareDestination(
        this.#root,
        op.dest,
        { name: entry.name!, isDirectory: false },
        maker,
        parents,
      )
      const rules = { owner: chown ?? ROOT, chmod, mtimeNs: toNs(op.mtime) ?? ('now' as const) }
      const writer = new EntryWriter(this.#root, tree, rules, this.#buffer, destination)
      await (data === undefined ? writer.write(entry) : writer.writeData(entry, data))
    }
    maker.finish()
    this.#entries++
    this.#bytes += entry.size
    this.#report()
  }

  /** Unpacks a source that is an archive; false if it is none. */
  async #unpackSource(
    dest: string,
    tree: Tree,
    entry: SelectedEntry,
    owner: Ids | undefined,
    maker: DirectoryMaker,
    parents: DirectoryAttributes,
  ): Promise<boolean> {
    if (entry.type !== 'file') return false
    const fd = tree.open(entry.source, entry)
    try {
      const { signal, readArchive } = this.#options
      const archive = await openArchive(fd, readArchive, signal)
      if (archive === undefined) return false
      const into = resolveInRoot(this.#root, relativeToRoot(dest))
      maker.make(into, { mode: DEFAULT_DIRECTORY_MODE, owner: parents.owner })
      await unpack(archive, { into, root: this.#root, owner, name: entry.name ?? entry.source, signal })
      this.#entries++
      this.#bytes += entry.size
      return true
    } finally {
      closeSync(fd)
    }
  }

  #owner(spec: ChownSpec | undefined): Ids | undefined {
    return spec && resolveOwner(this.#options.accounts ?? this.#root, spec)
  }

  async #pause(): Promise<void> {
    throwIfAborted(this.#options.signal)
    this.#report()
    await new Promise((resolve) => setImmediate(resolve))
    throwIfAborted(this.#options.signal)
    this.#until = performance.now() + SLICE_MS
  }

  #report(): void {
    this.#options.onProgress?.({ entries: this.#entries, bytes: this.#bytes })
  }
}

const ROOT: Ids = { uid: 0, gid: 0 }

/** Directories made on the way get an octal --chmod, but no symbolic one, and the owner of --chown. */
function parentAttributes(chmod: Chmod | undefined, owner: Ids | undefined): DirectoryAttributes {
  return { mode: chmod?.octal ?? DEFAULT_DIRECTORY_MODE, owner }
}

function toNs(seconds: number | undefined): bigint | undefined {
  return seconds === undefined ? undefined : BigInt(Math.round(seconds)) * 1_000_000_000n
}

/** What a {@link WriteOp} writes, as an entry, with the tree or the data its content comes from. */
function sourceOf(op: WriteOp): { entry: SelectedEntry; tree: Tree | undefined; data: Buffer | undefined } {
  const name = basename(relativeToRoot(op.name))
  if ('data' in op.content) {
    const data = Buffer.from(op.content.data)
    const none = { uid: 0, gid: 0, mtimeNs: 0n, ctimeNs: 0n, nlink: 1, dev: 0n, ino: 0n, rdev: 0n }
    const entry: SelectedEntry = {
      ...none,
      source: '',
      target: '',
      name,
      type: 'file',
      mode: op.mode,
      size: data.length,
    }
    return { entry, tree: undefined, data }
  }
  const tree = openLocalContext(dirname(op.content.path))
  const source = basename(op.content.path)
  const node = tree.lstat(source)
  if (node === undefined) throw fileErrors.sourceNotFound([op.content.path, undefined])
  return { entry: { ...node, source, target: '', name, mode: op.mode, nlink: 1 }, tree, data: undefined }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on device',
  EDQUOT: 'the disk quota is exceeded',
  ENAMETOOLONG: 'file name too long',
  ENOTDIR: 'not a directory',
  ELOOP: 'too many levels of symbolic links',
  EROFS: 'read-only file system',
  EPERM: 'operation not permitted',
  EACCES: 'permission denied',
  EMLINK: 'too many links',
  EINVAL: 'invalid argument',
}

/** Errors of the operating system as BuildErrors; paths are those of the root filesystem. */
function inWords(error: unknown, root: string): unknown {
  if (error instanceof BuildError) return error
  const { code, syscall, path, dest, message } = error as NodeJS.ErrnoException & { dest?: string }
  if (code === undefined) return error
  const where = dest ?? path
  const place = typeof where === 'string' && where.startsWith(root) ? inRoot(root, where) : where
  const what = [syscall, place].filter((part) => part !== undefined).join(' ')
  const reason = REASONS[code] ?? message
  return fileErrors.io([what === '' ? reason : `${what}: ${reason}`], { cause: error })
}
