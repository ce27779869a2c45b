/** Operations of the worker that hand out whole root filesystems: `type=tar` and `type=local`. */
import { type BigIntStats, constants, lstatSync, readlinkSync } from 'node:fs'
import { chmod, copyFile, link, lstat, lutimes, mkdir, realpath, symlink, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { throwIfAborted } from '../errors.ts'
import { packLayer } from '../layer/pack.ts'
import type { Change } from '../snapshot/snapshotter.ts'
import { resolveInRoot } from '../util/inroot.ts'
import { fsPath, readDirectory } from '../util/raw-path.ts'
import { removeTree } from '../util/remove-tree.ts'
import { chmodEntry, Places } from './places.ts'
import type { WorkerOperations } from './worker-api.ts'
import type { OperationContext } from './worker-files.ts'

type Params<O extends keyof WorkerOperations> = WorkerOperations[O]['params']

/** Writes a tar of root filesystems, uncompressed. */
export async function tarRootfs(
  { parts, dest }: Params<'rootfs.tar'>,
  { snapshotter, signal }: OperationContext,
): Promise<void> {
  async function* entries(): AsyncGenerator<Change> {
    for (const { stack, source, directory } of parts) {
      await using view = await snapshotter.view(stack, signal)
      const root = resolveInRoot(view.root, source)
      if (directory !== '') yield upsert(directory, root)
      for (const path of walk(root, ''))
        yield upsert(directory === '' ? path : `${directory}/${path}`, join(root, path))
    }
  }
  await packLayer(entries(), { compression: 'none', signal }, dest)
}

function upsert(path: string, place: string): Change {
  return { kind: 'upsert', path, fsPath: fsPath(place), stat: lstatSync(fsPath(place), { bigint: true }) }
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
 * Copies a root filesystem into a directory. What exists there stays unless the image has something of the same name;
 * links that exist there are replaced, never followed. Owners are the caller's, devices are left out.
 */
export async function copyRootfs(
  { stack, source, dest }: Params<'rootfs.copy'>,
  { snapshotter, signal }: OperationContext,
): Promise<void> {
  await mkdir(dest, { recursive: true })
  const target = await realpath(dest)
  await using view = await snapshotter.view(stack, signal)
  const root = resolveInRoot(view.root, source)
  // Whoever else may write there must not lead us elsewhere.
  using places = new Places(target)
  const linked = new Map<string, string>()
  const directories: { path: string; stat: BigIntStats }[] = []
  for (const path of walk(root, '')) {
    throwIfAborted(signal)
    const from = join(root, path)
    const stat = lstatSync(fsPath(from), { bigint: true })
    if (stat.isDirectory()) {
      await makeDirectory(places.at(path))
      directories.push({ path, stat })
    } else await copyEntry(from, path, stat, { places, linked })
  }
  // Last, so that copying into a directory neither fails for its mode nor changes its time.
  for (const { path, stat } of directories.reverse()) {
    const place = places.directory(path)
    await chmod(place, Number(stat.mode & 0o7777n))
    await utimes(place, seconds(stat.atimeNs), seconds(stat.mtimeNs))
  }
}

async function makeDirectory(path: string): Promise<void> {
  const existing = await lstat(fsPath(path)).catch(() => undefined)
  if (existing?.isDirectory()) return
  if (existing) await unlink(fsPath(path))
  await mkdir(fsPath(path), { mode: 0o700 })
}

async function copyEntry(
  from: string,
  path: string,
  stat: BigIntStats,
  { places, linked }: { readonly places: Places; readonly linked: Map<string, string> },
): Promise<void> {
  if (!stat.isFile() && !stat.isSymbolicLink()) return
  const to = places.at(path)
  removeTree(to)
  if (stat.isSymbolicLink()) {
    await symlink(readlinkSync(fsPath(from), 'buffer'), fsPath(to))
    await lutimes(fsPath(to), seconds(stat.atimeNs), seconds(stat.mtimeNs))
    return
  }
  const key = `${stat.dev}:${stat.ino}`
  const first = stat.nlink > 1n ? linked.get(key) : undefined
  if (first !== undefined) {
    // By two ways at once, as either path is good until the other is asked for.
    using other = places.again()
    await link(fsPath(other.at(first)), fsPath(to))
    return
  }
  linked.set(key, path)
  await copyFile(fsPath(from), fsPath(to), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  chmodEntry(to, Number(stat.mode & 0o7777n))
  await lutimes(fsPath(to), seconds(stat.atimeNs), seconds(stat.mtimeNs))
}

function seconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e9
}
