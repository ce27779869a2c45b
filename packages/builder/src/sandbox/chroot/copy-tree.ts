/** Copies trees whole: owners, modes, times, links; cloned where the file system can. */
import fs from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { hasCode } from '../../util/has-code.ts'
import { setTimesOf } from '../native/files.ts'
import { raw } from '../native/libc.ts'
import { at, namesIn, openDirectory, openEntry } from './entries.ts'

/** A copy as it was made, by which it is seen later whether somebody has changed it. */
export interface Copied {
  readonly stamp: string
  /** Of a directory, by name. */
  readonly entries: ReadonlyMap<string, Copied> | undefined
}

/** What changes when somebody changes an entry; of a directory, without what is in it. */
export function stampOf(stat: fs.BigIntStats): string {
  const { ino, mode, uid, gid, ctimeNs } = stat
  return [ino, mode, uid, gid, stat.isDirectory() ? '' : ctimeNs].join(':')
}

/**
 * Copies what `source` is open on (O_PATH) to `name` in the directory `to`, where nothing of that name may be. Sockets and
 * what the machine does not let us make are left out: undefined.
 */
export async function copyTree(source: number, to: number, name: string): Promise<Copied | undefined> {
  const stat = fs.fstatSync(source, { bigint: true })
  let entries: Map<string, Copied> | undefined
  if (stat.isDirectory()) {
    fs.mkdirSync(at(to, name), { mode: 0o700 })
    entries = await copyEntries(source, to, name)
  } else if (stat.isFile()) await copyFile(`/proc/self/fd/${source}`, at(to, name), COPY_FLAGS)
  else if (stat.isSymbolicLink()) fs.symlinkSync(linkText(source), at(to, name))
  else if (stat.isSocket() || raw.mknodat(to, name, Number(stat.mode), stat.rdev) < 0) return undefined
  fs.lchownSync(at(to, name), Number(stat.uid), Number(stat.gid))
  const copy = openEntry(to, name)
  if (copy === undefined) return undefined
  try {
    if (stat.isSymbolicLink()) fs.lutimesSync(at(to, name), Number(stat.atimeMs) / 1000, Number(stat.mtimeMs) / 1000)
    else {
      fs.chmodSync(`/proc/self/fd/${copy}`, Number(stat.mode) & 0o7777)
      setTimesOf(copy, stat.atimeNs, stat.mtimeNs)
    }
    return { stamp: stampOf(fs.fstatSync(copy, { bigint: true })), entries }
  } finally {
    fs.closeSync(copy)
  }
}

const COPY_FLAGS = fs.constants.COPYFILE_FICLONE | fs.constants.COPYFILE_EXCL

async function copyEntries(source: number, to: number, name: string): Promise<Map<string, Copied>> {
  const entries = new Map<string, Copied>()
  const target = openDirectory(to, name)
  if (target === undefined) return entries
  try {
    for (const entry of namesIn(source)) {
      const from = openEntry(source, entry)
      // Others may change the source meanwhile.
      if (from === undefined) continue
      try {
        const copied = await copyTree(from, target, entry)
        if (copied !== undefined) entries.set(entry, copied)
      } finally {
        fs.closeSync(from)
      }
    }
    return entries
  } finally {
    fs.closeSync(target)
  }
}

/** The target of the link that `fd` is open on, as bytes. */
function linkText(fd: number): Buffer {
  const buffer = Buffer.alloc(4096)
  return buffer.subarray(0, Math.max(0, raw.readlinkat(fd, '', buffer, buffer.length)))
}

/** Makes mode and owner of what `to` is open on those of `stat`. */
export function copyAttributes(stat: fs.BigIntStats, to: number): void {
  const path = `/proc/self/fd/${to}`
  try {
    fs.chownSync(path, Number(stat.uid), Number(stat.gid))
    fs.chmodSync(path, Number(stat.mode) & 0o7777)
  } catch (error) {
    if (!hasCode(error, 'EPERM')) throw error
  }
}
