/** Operations of the worker that hand out whole root filesystems: `type=tar` and `type=local`. */
import { type BigIntStats, constants, lstatSync, readlinkSync } from 'node:fs'
import { chmod, copyFile, lchown, link, lstat, mkdir, realpath, symlink, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { outputFailed, throwIfAborted } from '../errors.ts'
import { packLayer } from '../layer/pack.ts'
import { isPackedXattr } from '../layer/xattrs.ts'
import type { Change } from '../snapshot/snapshotter.ts'
import { hasCode } from '../util/has-code.ts'
import { resolveInRoot } from '../util/inroot.ts'
import { makeDirectorySync } from '../util/make-directory.ts'
import { fsPath, readDirectory } from '../util/raw-path.ts'
import { removeTree } from '../util/remove-tree.ts'
import { decodeDevice, getXattr, listXattrs, makeNode, setTimes, setXattr } from '../util/syscalls.ts'
import { isSystemError, systemReason } from '../util/system-error.ts'
import { rootfsErrors } from './errors.ts'
import { chmodEntry, Places } from './places.ts'
import type { LeftOut, RootfsPart, WorkerOperations } from './worker-api.ts'
import type { OperationContext } from './worker-files.ts'

type Operation = 'rootfs.tar' | 'rootfs.copy'
type Params<O extends Operation> = WorkerOperations[O]['params']

/** Writes a tar of root filesystems, uncompressed. */
export async function tarRootfs(
  { parts, dest }: Params<'rootfs.tar'>,
  { snapshotter, signal }: OperationContext,
): Promise<LeftOut | undefined> {
  const leftOut = new LeftOutCounter()
  const owners = needsOwners(parts) ? new PathOwners() : undefined
  async function* entries(): AsyncGenerator<Change> {
    for (const part of parts) {
      await snapshotter.verify(part.stack, 'files')
      await using view = await snapshotter.view(part.stack, signal)
      const root = resolveInRoot(view.root, part.source)
      if (part.directory !== '') yield upsert(part.directory, root, part)
      for (const path of walk(root, '')) {
        const target = part.directory === '' ? path : `${part.directory}/${path}`
        const change = upsert(target, join(root, path), part)
        const first = owners?.add(target, part.name, change.stat) ?? true
        if (change.stat.isSocket()) leftOut.add(target)
        else if (first) yield change
      }
    }
  }
  await packLayer(entries(), { compression: 'none', signal }, dest)
  await snapshotter.verify()
  return leftOut.result()
}

function upsert(path: string, place: string, { time }: RootfsPart): Change & { kind: 'upsert' } {
  const stat = lstatSync(fsPath(place), { bigint: true })
  if (time !== undefined) stat.mtimeNs = nanoseconds(time)
  return { kind: 'upsert', path, fsPath: fsPath(place), stat }
}

/** Every path below a directory, parents first, siblings in byte order. */
function* walk(root: string, directory: string): Generator<string> {
  for (const entry of readDirectory(join(root, directory))) {
    const path = directory === '' ? entry.name : `${directory}/${entry.name}`
    yield path
    if (entry.isDirectory()) yield* walk(root, path)
  }
}

/**
 * Copies root filesystems into a directory. What exists there stays unless an image has something of the same name; links
 * that exist there are replaced, never followed. As in the reference, everything belongs to the caller.
 */
export async function copyRootfs(
  { parts, dest }: Params<'rootfs.copy'>,
  { snapshotter, signal }: OperationContext,
): Promise<LeftOut | undefined> {
  makeDirectorySync(dest)
  const target = await realpath(dest)
  const leftOut = new LeftOutCounter()
  const owners = needsOwners(parts) ? new PathOwners() : undefined
  // Whoever else may write there must not lead us elsewhere.
  using places = new Places(target)
  for (const part of parts) {
    await snapshotter.verify(part.stack, 'files')
    await using view = await snapshotter.view(part.stack, signal)
    const root = resolveInRoot(view.root, part.source)
    const linked = new Map<string, string>()
    const directories: { to: string; stat: BigIntStats }[] = []
    if (part.directory !== '') {
      await writing(join(dest, part.directory), () => replaceByDirectory(places.at(part.directory)))
      directories.push({ to: part.directory, stat: lstatSync(fsPath(root), { bigint: true }) })
    }
    for (const path of walk(root, '')) {
      throwIfAborted(signal)
      const from = join(root, path)
      const to = join(part.directory, path)
      const stat = lstatSync(fsPath(from), { bigint: true })
      owners?.add(to, part.name, stat)
      await writing(join(dest, to), async () => {
        if (stat.isDirectory()) {
          await replaceByDirectory(places.at(to))
          directories.push({ to, stat })
        } else if (await copyEntry(from, to, stat, { places, linked })) setTime(places.at(to), stat, part)
        else leftOut.add(path)
      })
    }
    // Last, so that copying into a directory neither fails for its mode nor changes its time.
    for (const { to, stat } of directories.reverse()) {
      const place = `${places.directory(to)}/.`
      await chmod(place, Number(stat.mode & 0o7777n))
      setTime(place, stat, part)
    }
  }
  await snapshotter.verify()
  return leftOut.result()
}

/** What the system refuses is told of the path in the output, which the user knows. */
async function writing(path: string, write: () => Promise<void>): Promise<void> {
  try {
    await write()
  } catch (error) {
    if (!isSystemError(error)) throw error
    throw outputFailed([path, systemReason(error)], { cause: error })
  }
}

async function replaceByDirectory(path: string): Promise<void> {
  const existing = await lstat(fsPath(path)).catch(() => undefined)
  if (existing?.isDirectory()) return
  if (existing) await unlink(fsPath(path))
  await mkdir(fsPath(path), { mode: 0o700 })
}

/** @returns whether it could be made: sockets are of no use to anybody, devices can be made by the machine's root only */
async function copyEntry(
  from: string,
  path: string,
  stat: BigIntStats,
  { places, linked }: { readonly places: Places; readonly linked: Map<string, string> },
): Promise<boolean> {
  if (stat.isSocket()) return false
  const to = places.at(path)
  removeTree(to)
  const key = `${stat.dev}:${stat.ino}`
  const first = stat.nlink > 1n ? linked.get(key) : undefined
  if (first !== undefined) {
    // By two ways at once, as either path is good until the other is asked for.
    using other = places.again()
    await link(fsPath(other.at(first)), fsPath(to))
    return true
  }
  if (stat.isSymbolicLink()) await symlink(readlinkSync(fsPath(from), 'buffer'), fsPath(to))
  else if (stat.isFile()) await copyContent(from, to, stat)
  else if (!makeSpecial(to, stat)) return false
  else chmodEntry(to, Number(stat.mode & 0o7777n))
  linked.set(key, path)
  return true
}

async function copyContent(from: string, to: string, stat: BigIntStats): Promise<void> {
  await copyFile(fsPath(from), fsPath(to), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  // Which copies the owner as well, if it may. A change of owners takes modes and capabilities away, so it comes first.
  await lchown(fsPath(to), process.getuid!(), process.getgid!())
  for (const name of listXattrs(fsPath(from))) {
    const value = isPackedXattr(name) ? getXattr(fsPath(from), name) : undefined
    if (value !== undefined) tryToSet(to, name, value)
  }
  chmodEntry(to, Number(stat.mode & 0o7777n))
}

/** As in the reference, what the file system or the user cannot set is done without. */
function tryToSet(path: string, name: string, value: Buffer): void {
  try {
    setXattr(fsPath(path), name, value)
  } catch (error) {
    if (!hasCode(error, 'ENOTSUP') && !hasCode(error, 'EPERM') && !hasCode(error, 'ENOSPC')) throw error
  }
}

function makeSpecial(path: string, stat: BigIntStats): boolean {
  try {
    makeNode(fsPath(path), (Number(stat.mode) & constants.S_IFMT) | 0o600, decodeDevice(stat.rdev))
    return true
  } catch (error) {
    if (hasCode(error, 'EPERM')) return false
    throw error
  }
}

function setTime(path: string, { mtimeNs }: BigIntStats, { time }: RootfsPart): void {
  setTimes(fsPath(path), time === undefined ? mtimeNs : nanoseconds(time))
}

function nanoseconds(seconds: number): bigint {
  return BigInt(seconds) * 1_000_000_000n
}

function needsOwners(parts: readonly RootfsPart[]): boolean {
  return parts.length > 1 && parts.some(({ directory }) => directory === '')
}

/** Which platform a path has come from, so that none takes the place of another's. */
class PathOwners {
  readonly #names = new Map<string, string>()

  /** @returns whether the path is new; directories may come from several. @throws BuildError OUTPUT_OVERLAP */
  add(path: string, name: string, stat: BigIntStats): boolean {
    const first = this.#names.get(path)
    if (first === undefined) {
      this.#names.set(path, stat.isDirectory() ? '' : name)
      return true
    }
    if (first === '' && stat.isDirectory()) return false
    throw rootfsErrors.twice([path, first || 'another platform', name])
  }
}

class LeftOutCounter {
  #files = 0
  #example = ''

  add(path: string): void {
    if (this.#files === 0) this.#example = path
    this.#files++
  }

  result(): LeftOut | undefined {
    return this.#files === 0 ? undefined : { files: this.#files, example: this.#example }
  }
}
