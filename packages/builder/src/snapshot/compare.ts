/** Whether an entry of a layer is the same as the one that it hides. */
import { type BigIntStats, closeSync, constants, openSync, readlinkSync, readSync } from 'node:fs'
import { fsPath } from '../util/raw-path.ts'
import { getXattr, listXattrs } from '../util/syscalls.ts'
import type { Turns } from './turns.ts'

const CHUNK = 128 * 1024
/** What reading two chunks takes, in directory entries. */
const CHUNK_WEIGHT = 8
const OVERLAY_XATTR = /^(trusted|user)\.overlay\./

/** Same permissions, owner and extended attributes. Times of directories change with their entries and do not count. */
export function sameDirectory(a: string, aStat: BigIntStats, b: string, bStat: BigIntStats): boolean {
  return sameOwnership(aStat, bStat) && sameXattrs(a, b)
}

/** Same type, attributes, modification time and content. A file with several names is never the same: its links may be new. */
export async function sameFile(
  a: string,
  aStat: BigIntStats,
  b: string,
  bStat: BigIntStats,
  turns: Turns,
): Promise<boolean> {
  if (aStat.nlink > 1n || !sameOwnership(aStat, bStat) || aStat.rdev !== bStat.rdev) return false
  if (aStat.size !== bStat.size || aStat.mtimeNs !== bStat.mtimeNs || !sameXattrs(a, b)) return false
  if (aStat.isSymbolicLink()) return readlinkSync(fsPath(a), 'buffer').equals(readlinkSync(fsPath(b), 'buffer'))
  return !aStat.isFile() || (await sameContent(a, b, turns))
}

/** Same type, permissions and owner. */
export function sameOwnership(a: BigIntStats, b: BigIntStats): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid
}

function sameXattrs(a: string, b: string): boolean {
  const names = (path: string) => listXattrs(fsPath(path)).filter((name) => !OVERLAY_XATTR.test(name))
  const [ours, theirs] = [names(a), names(b)]
  return (
    ours.length === theirs.length &&
    ours.every((name, i) => {
      const [x, y] = [getXattr(fsPath(a), name), getXattr(fsPath(b), name)]
      return name === theirs[i] && x !== undefined && y !== undefined && x.equals(y)
    })
  )
}

async function sameContent(a: string, b: string, turns: Turns): Promise<boolean> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW
  const [x, y] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)]
  const fa = openSync(fsPath(a), flags)
  try {
    const fb = openSync(fsPath(b), flags)
    try {
      for (;;) {
        await turns.next(CHUNK_WEIGHT)
        const n = readSync(fa, x)
        const m = readSync(fb, y, 0, n === 0 ? CHUNK : n, null)
        if (n !== m || x.compare(y, 0, m, 0, n) !== 0) return false
        if (n === 0) return true
      }
    } finally {
      closeSync(fb)
    }
  } finally {
    closeSync(fa)
  }
}
