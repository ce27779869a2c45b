/** Removes mount points that were made in a root filesystem, as if they had never been there. */
import fs from 'node:fs'
import { hasCode } from '../../util/has-code.ts'
import { AT_FDCWD, O_DIRECTORY, O_PATH, openAt, rmdirAt, setTimesOf, unlinkAt } from '../native/files.ts'
import { resolveInRoot } from '../native/resolve.ts'
import type { Stub } from './points.ts'

export type { Stub }

/**
 * Removes what is still an empty directory or file, the last made first, and gives the parent directory its times back
 * if nothing else has changed it. What the process has put there meanwhile stays.
 */
export function removeStubs(rootfs: string, stubs: readonly Stub[]): void {
  if (stubs.length === 0) return
  const root = openAt(AT_FDCWD, rootfs, O_PATH | O_DIRECTORY)
  try {
    for (const stub of stubs.toReversed()) removeStub(root, stub)
  } finally {
    fs.closeSync(root)
  }
}

function removeStub(root: number, stub: Stub): void {
  const slash = stub.path.lastIndexOf('/')
  let parent: number | undefined
  try {
    parent = resolveInRoot(root, stub.path.slice(0, slash), { noLinks: true }).fd
    const untouched = fs.fstatSync(parent, { bigint: true }).mtimeNs === stub.parentMtimeNs
    const name = stub.path.slice(slash + 1)
    if (stub.kind === 'directory') rmdirAt(parent, name)
    else {
      const entry = resolveInRoot(parent, name, { noFollowLast: true })
      const stat = fs.fstatSync(entry.fd)
      fs.closeSync(entry.fd)
      if (!stat.isFile() || stat.size > 0) return
      unlinkAt(parent, name)
    }
    if (untouched) setTimesOf(parent, stub.parentAtimeNs, stub.parentMtimeNs)
  } catch (error) {
    // Used, replaced or removed by the process: then it is no stub any more.
    if (!hasCode(error, 'ENOTEMPTY', 'ENOENT', 'ENOTDIR', 'ELOOP', 'EEXIST', 'EBUSY')) throw error
  } finally {
    if (parent !== undefined) fs.closeSync(parent)
  }
}
