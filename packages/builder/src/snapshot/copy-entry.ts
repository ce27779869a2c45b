/** Exact copies of files: content (cloned where the file system can), owner, mode, attributes and times. */
import {
  type BigIntStats,
  chmodSync,
  constants,
  copyFileSync,
  lchownSync,
  linkSync,
  mkdirSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs'
import { fsPath } from '../util/raw-path.ts'
import { decodeDevice, getXattr, listXattrs, makeNode, removeXattr, setTimes, setXattr } from '../util/syscalls.ts'

/**
 * Copies one entry that is not a directory to a free name. Sockets are left out, as in layers.
 *
 * @param linked remembers where the files with several names went, by inode of the source
 */
export function copyEntry(from: string, stat: BigIntStats, to: string, linked: Map<string, string>): void {
  if (stat.isSocket()) return
  if (stat.nlink > 1n) {
    const inode = `${stat.dev}:${stat.ino}`
    const first = linked.get(inode)
    if (first !== undefined) {
      linkSync(fsPath(first), fsPath(to))
      return
    }
    linked.set(inode, to)
  }
  if (stat.isSymbolicLink()) symlinkSync(readlinkSync(fsPath(from), 'buffer'), fsPath(to))
  else if (stat.isFile()) copyFileSync(fsPath(from), fsPath(to), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  else makeNode(fsPath(to), Number(stat.mode), decodeDevice(stat.rdev))
  copyAttributes(from, stat, to)
}

/** Makes a directory like another one, without its entries; its times are to be set when it is full. */
export function copyDirectory(from: string, stat: BigIntStats, to: string): void {
  mkdirSync(fsPath(to))
  copyAttributes(from, stat, to)
}

/** Gives `to` everything but content: in the order in which the kernel keeps it. */
export function copyAttributes(from: string, stat: BigIntStats, to: string): void {
  lchownSync(fsPath(to), Number(stat.uid), Number(stat.gid))
  if (!stat.isSymbolicLink()) chmodSync(fsPath(to), Number(stat.mode & 0o7777n))
  const names = copiedXattrs(from)
  // What it had before, or from the directory that it was made in.
  for (const name of copiedXattrs(to)) if (!names.includes(name)) removeXattr(fsPath(to), name)
  for (const name of names) {
    const value = getXattr(fsPath(from), name)
    if (value) setXattr(fsPath(to), name, value)
  }
  setTimes(fsPath(to), stat.mtimeNs)
}

function copiedXattrs(path: string): string[] {
  return listXattrs(fsPath(path)).filter((name) => !name.startsWith('trusted.') && name !== 'security.selinux')
}
