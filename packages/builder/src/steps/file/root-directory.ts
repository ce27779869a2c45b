/** A root filesystem on disk as a tree of files, looked at as it is asked for; nothing else changes it meanwhile. */
import { type BigIntStats, lstatSync, readlinkSync } from 'node:fs'
import type { Attributes, Directory, TreeNode } from '../../layer/file-tree.ts'
import { decodeName, fsPath, readDirectory } from '../../util/raw-path.ts'
import { decodeDevice } from '../../util/syscalls.ts'

/** @param path absolute, free of links */
export function openRootDirectory(path: string): Directory {
  return directoryAt(path === '/' ? '' : path, lstatSync(path, { bigint: true }))
}

function directoryAt(path: string, stat: BigIntStats): Directory {
  return {
    type: 'directory',
    ...attributesOf(stat),
    get: (name) => nodeAt(`${path}/${name}`),
    names: () => readDirectory(path === '' ? '/' : path).map((entry) => entry.name),
  }
}

/** Extended attributes stay what they are: nobody who writes over it has to know them. */
function attributesOf({ mode, uid, gid, mtimeNs }: BigIntStats): Attributes {
  return { mode: Number(mode & 0o7777n), uid: Number(uid), gid: Number(gid), mtimeNs, xattrs: [] }
}

function nodeAt(path: string): TreeNode | undefined {
  const raw = fsPath(path)
  const stat = lstatSync(raw, { bigint: true, throwIfNoEntry: false })
  if (stat === undefined) return undefined
  if (stat.isDirectory()) return directoryAt(path, stat)
  const common = { ...attributesOf(stat), names: Number(stat.nlink), size: 0 }
  if (stat.isSymbolicLink()) return { ...common, type: 'symlink', linkname: decodeName(readlinkSync(raw, 'buffer')) }
  if (stat.isFIFO() || stat.isSocket()) return { ...common, type: 'fifo' }
  if (stat.isFile()) return { ...common, type: 'file', size: Number(stat.size) }
  return { ...common, type: stat.isBlockDevice() ? 'block' : 'char', device: decodeDevice(stat.rdev) }
}
