/** What COPY, ADD and WORKDIR make of a root filesystem, decided before anything is written. */
import { basename, dirname } from 'node:path'
import type { ReadArchive } from '../../context/archive.ts'
import { openLocalContext } from '../../context/local.ts'
import type { Tree, TreeNode } from '../../context/tree.ts'
import { throwIfAborted } from '../../errors.ts'
import type { ChownSpec, CopyOp, MkdirOp, WriteOp } from '../../graph/file-op.ts'
import type { Directory } from '../../layer/file-tree.ts'
import { type Chmod, parseChmod } from '../../util/chmod.ts'
import { checkUnchanged } from '../../util/content.ts'
import { relativeToRoot } from '../../util/inroot.ts'
import { type DirectoryAttributes, DirectoryMaker, prepareDestination } from './destination.ts'
import { Draft } from './draft.ts'
import { fileErrors } from './errors.ts'
import { inWords } from './in-words.ts'
import { type Ids, type ReadAccounts, resolveOwner } from './owner.ts'
import { EntryPlacer } from './place-entries.ts'
import type { SelectedEntry } from './select.ts'
import type { Spool } from './spool.ts'
import { openArchive, unpack } from './unpack.ts'

/** An operation with the files it reads. */
export type OpenedOp =
  | MkdirOp
  | WriteOp
  | {
      readonly op: CopyOp
      readonly tree: Tree
      readonly entries: Iterable<SelectedEntry> | AsyncIterable<SelectedEntry>
    }

export interface DraftOptions {
  readonly signal: AbortSignal
  readonly readArchive: ReadArchive
  /** The account files in which names of owners are looked up. */
  readonly accounts: ReadAccounts
  /** Keeps the contents of archives until the layer is written. */
  readonly spool: Spool
}

/** Milliseconds of work after which others get their turn. */
const SLICE_MS = 20
const DEFAULT_DIRECTORY_MODE = 0o755

/**
 * Decides what operations, in order, make of the root filesystem `below`.
 *
 * @throws BuildError of {@link fileErrors}; CONTEXT_CHANGED; CANCELLED
 */
export async function draftFileOps(below: Directory, ops: readonly OpenedOp[], options: DraftOptions): Promise<Draft> {
  const draft = new Draft(below, timeOf(ops[0]) ?? BigInt(Date.now()) * 1_000_000n)
  const step = new FileStepRun(draft, options)
  try {
    for (const op of ops) {
      throwIfAborted(options.signal)
      if (op.op === 'mkdir') step.mkdir(op)
      else if (op.op === 'write') await step.write(op)
      else await step.copy(op.op, op.tree, op.entries)
    }
  } catch (error) {
    throw inWords(error, '')
  }
  return draft
}

class FileStepRun {
  readonly #draft: Draft
  readonly #options: DraftOptions
  #until = 0

  constructor(draft: Draft, options: DraftOptions) {
    this.#draft = draft
    this.#options = options
  }

  mkdir(op: MkdirOp): void {
    const maker = new DirectoryMaker(this.#draft, toNs(op.mtime))
    maker.make(this.#draft.resolve(relativeToRoot(op.path)), { mode: op.mode, owner: this.#owner(op.owner) })
    maker.finish()
  }

  async copy(op: CopyOp, tree: Tree, entries: Iterable<SelectedEntry> | AsyncIterable<SelectedEntry>): Promise<void> {
    const chmod = op.chmod === undefined ? undefined : parseChmod(op.chmod)
    const chown = this.#owner(op.chown)
    const rules = { owner: chown ?? (op.keepOwner ? undefined : ROOT), chmod, mtimeNs: undefined }
    const maker = new DirectoryMaker(this.#draft, toNs(op.mtime))
    const parents = parentAttributes(chmod, chown)
    let placer: EntryPlacer | undefined
    for await (const entry of entries) {
      if (performance.now() > this.#until) await this.#pause()
      if (entry.name !== undefined) {
        placer?.finish()
        placer = undefined
        if (op.unpack !== 'never' && (await this.#unpackSource(op.dest, tree, entry, chown, maker, parents))) continue
        const source = { name: entry.name, isDirectory: entry.node.type === 'directory' }
        const destination = prepareDestination(this.#draft, op.dest, source, maker, parents)
        placer = new EntryPlacer(this.#draft, tree, rules, destination)
      }
      placer?.place(entry)
    }
    placer?.finish()
    maker.finish()
  }

  async write(op: WriteOp): Promise<void> {
    const chmod = op.chmod === undefined ? undefined : parseChmod(op.chmod)
    const chown = this.#owner(op.chown)
    const maker = new DirectoryMaker(this.#draft, toNs(op.mtime))
    const parents = parentAttributes(chmod, chown)
    const { entry, tree, data } = sourceOf(op)
    const unpacked =
      op.unpack !== 'never' && tree && (await this.#unpackSource(op.dest, tree, entry, chown, maker, parents))
    if (unpacked !== true) {
      const source = { name: entry.name!, isDirectory: false }
      const destination = prepareDestination(this.#draft, op.dest, source, maker, parents)
      const rules = { owner: chown ?? ROOT, chmod, mtimeNs: toNs(op.mtime) ?? this.#draft.now }
      const placer = new EntryPlacer(this.#draft, tree, rules, destination)
      if (data === undefined) placer.place(entry)
      else placer.placeData(entry, data)
    }
    maker.finish()
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
    const { node } = entry
    if (node.type !== 'file') return false
    const { signal, readArchive, spool } = this.#options
    const content = tree.content(entry.source, node)
    const archive = await openArchive(content, node.size, readArchive, signal)
    if (archive === undefined) return false
    const into = this.#draft.resolve(relativeToRoot(dest))
    maker.make(into, { mode: DEFAULT_DIRECTORY_MODE, owner: parents.owner })
    await unpack(archive, this.#draft, { into, owner, name: entry.name ?? entry.source, spool, signal })
    checkUnchanged(content)
    return true
  }

  #owner(spec: ChownSpec | undefined): Ids | undefined {
    return spec && resolveOwner(this.#options.accounts, spec)
  }

  async #pause(): Promise<void> {
    throwIfAborted(this.#options.signal)
    await new Promise((resolve) => setImmediate(resolve))
    throwIfAborted(this.#options.signal)
    this.#until = performance.now() + SLICE_MS
  }
}

const ROOT: Ids = { uid: 0, gid: 0 }

/** Directories made on the way get an octal --chmod, but no symbolic one, and the owner of --chown. */
function parentAttributes(chmod: Chmod | undefined, owner: Ids | undefined): DirectoryAttributes {
  return { mode: chmod?.octal ?? DEFAULT_DIRECTORY_MODE, owner }
}

/** The time that a step is given: its operations have the same. */
function timeOf(op: OpenedOp | undefined): bigint | undefined {
  return op && toNs((typeof op.op === 'string' ? (op as MkdirOp | WriteOp) : op.op).mtime)
}

function toNs(seconds: number | undefined): bigint | undefined {
  return seconds === undefined ? undefined : BigInt(Math.round(seconds)) * 1_000_000_000n
}

/** What a {@link WriteOp} writes, as an entry, with the tree or the data its content comes from. */
function sourceOf(op: WriteOp): { entry: SelectedEntry; tree: Tree | undefined; data: Buffer | undefined } {
  const name = basename(relativeToRoot(op.name))
  const { mode } = op
  if ('data' in op.content) {
    const data = Buffer.from(op.content.data)
    const none = { uid: 0, gid: 0, mtimeNs: 0n, ctimeNs: 0n, nlink: 1, dev: 0n, ino: 0n, rdev: 0n }
    const node: TreeNode = { ...none, name, type: 'file', mode, size: data.length }
    return { entry: { node, source: '', target: '', name }, tree: undefined, data }
  }
  const tree = openLocalContext(dirname(op.content.path))
  const source = basename(op.content.path)
  const node = tree.lstat(source)
  if (node === undefined) throw fileErrors.sourceNotFound([op.content.path, undefined])
  return { entry: { node: { ...node, mode, nlink: 1 }, source, target: '', name }, tree, data: undefined }
}
