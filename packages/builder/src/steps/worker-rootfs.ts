/** Operations of the worker that hand out whole root filesystems: `type=tar` and `type=local`. */
import { type BigIntStats, constants, lstatSync, readlinkSync } from 'node:fs'
import { chmod, copyFile, link, lstat, lutimes, mkdir, realpath, rm, symlink, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { throwIfAborted } from '../errors.ts'
import { packLayer } from '../layer/pack.ts'
import type { Change } from '../snapshot/snapshotter.ts'
import { resolveInRoot } from '../util/inroot.ts'
import { makeDirectory } from '../util/make-directory.ts'
import { fsPath, readDirectory } from '../util/raw-path.ts'
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
      await snapshotter.verify(stack, 'files')
      await using view = await snapshotter.view(stack, signal)
      const root = resolveInRoot(view.root, source)
      if (directory !== '') yield upsert(directory, root)
      for (const path of walk(root, ''))
        yield upsert(directory === '' ? path : `${directory}/${path}`, join(root, path))
    }
  }
  await packLayer(entries(), { compression: 'none', signal }, dest)
  await snapshotter.verify()
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
  await makeDirectory(dest)
  const target = await realpath(dest)
  await snapshotter.verify(stack, 'files')
  await using view = await snapshotter.view(stack, signal)
  const root = resolveInRoot(view.root, source)
  const linked = new Map<string, string>()
  const directories: { path: string; stat: BigIntStats }[] = []
  for (const path of walk(root, '')) {
    throwIfAborted(signal)
    const from = join(root, path)
    const to = join(target, path)
    const stat = lstatSync(fsPath(from), { bigint: true })
    if (stat.isDirectory()) {
      await replaceByDirectory(to)
      directories.push({ path: to, stat })
    } else await copyEntry(from, to, stat, linked)
  }
  // Last, so that copying into a directory neither fails for its mode nor changes its time.
  for (const { path, stat } of directories.reverse()) await setAttributes(path, stat)
  await snapshotter.verify()
}

async function replaceByDirectory(path: string): Promise<void> {
  const existing = await lstat(fsPath(path)).catch(() => undefined)
  if (existing?.isDirectory()) return
  if (existing) await unlink(fsPath(path))
  await mkdir(fsPath(path), { mode: 0o700 })
}

async function copyEntry(from: string, to: string, stat: BigIntStats, linked: Map<string, string>): Promise<void> {
  if (!stat.isFile() && !stat.isSymbolicLink()) return
  await rm(fsPath(to), { recursive: true, force: true })
  if (stat.isSymbolicLink()) {
    await symlink(readlinkSync(fsPath(from), 'buffer'), fsPath(to))
    await lutimes(fsPath(to), seconds(stat.atimeNs), seconds(stat.mtimeNs))
    return
  }
  const key = `${stat.dev}:${stat.ino}`
  const first = stat.nlink > 1n ? linked.get(key) : undefined
  if (first !== undefined) {
    await link(fsPath(first), fsPath(to))
    return
  }
  linked.set(key, to)
  await copyFile(fsPath(from), fsPath(to), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  await setAttributes(to, stat)
}

async function setAttributes(path: string, stat: BigIntStats): Promise<void> {
  await chmod(fsPath(path), Number(stat.mode & 0o7777n))
  await lutimes(fsPath(path), seconds(stat.atimeNs), seconds(stat.mtimeNs))
}

function seconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e9
}
