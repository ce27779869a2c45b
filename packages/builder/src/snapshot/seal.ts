/**
 * Says what a snapshot's content looked like when it was finished, so that a file which was deleted, cut short or changed
 * since then shows. The kernel changes a directory's ctime with each entry that comes or goes, and a file's with each
 * change to it, and nobody can set it: so looking is enough, nothing has to be read.
 *
 * ```
 * <sha256 of all that follows>
 * ["<directory>","<its ctime>","<sha256 of what stat says of its files>"]
 * …
 * ```
 */
import { createHash, hash } from 'node:crypto'
import { type BigIntStats, lstatSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { fsPath, readDirectory } from '../util/raw-path.ts'

const S_IFMT = 0o170000n
const S_IFCHR = 0o020000n

/** A directory's path in the content, its ctime in nanoseconds, and the digest of its files. */
type Line = readonly [path: string, changed: string, files: string]

/** How closely to look: at directories, which shows what came or went, or at every file as well. */
export type Depth = 'directories' | 'files'

/** The seal of a directory tree. */
export function sealOf(content: string): string {
  const lines: string[] = []
  const pending = ['']
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const [changed, files] = look(content, directory, pending)
    lines.push(JSON.stringify([directory, changed, files] satisfies Line))
  }
  const text = lines.join('\n')
  return `${hash('sha256', text)}\n${text}`
}

/** Whether a tree is still what its seal says. Others get their turn in between. */
export async function isStillSealed(content: string, seal: string): Promise<boolean> {
  const lines = seal.split('\n')
  if (!hasSealedDirectories(content, seal)) return false
  for (const [i, line] of lines.slice(1).entries()) {
    if (i % 64 === 63) await setImmediate()
    try {
      if (!isUnchanged(content, JSON.parse(line) as Line, 'files')) return false
    } catch {
      return false
    }
  }
  return true
}

/** Whether the directories of a tree are still what its seal says: whether nothing came or went. */
export function hasSealedDirectories(content: string, seal: string): boolean {
  const end = seal.indexOf('\n')
  const text = seal.slice(end + 1)
  if (hash('sha256', text) !== seal.slice(0, end)) return false
  try {
    return text.split('\n').every((line) => isUnchanged(content, JSON.parse(line) as Line, 'directories'))
  } catch {
    return false
  }
}

function isUnchanged(content: string, [path, changed, files]: Line, depth: Depth): boolean {
  const stat = lstatSync(fsPath(join(content, path)), { bigint: true, throwIfNoEntry: false })
  if (!stat?.isDirectory() || String(stat.ctimeNs) !== changed) return false
  return depth === 'directories' || look(content, path, [])[1] === files
}

/** @param pending gets the directories in it */
function look(content: string, directory: string, pending: string[]): readonly [changed: string, files: string] {
  const place = join(content, directory)
  const files = createHash('sha256')
  for (const entry of readDirectory(place)) {
    if (entry.isDirectory()) pending.push(join(directory, entry.name))
    else files.update(`${entry.name}\0${fileFacts(lstatSync(fsPath(join(place, entry.name)), { bigint: true }))}\0`)
  }
  return [String(lstatSync(fsPath(place), { bigint: true }).ctimeNs), files.digest('hex')]
}

function fileFacts({ ino, mode, rdev, size, mtimeNs, ctimeNs }: BigIntStats): string {
  // The kernel's whiteouts are all links to one file, also from the working directory of the mount that made them, which
  // is deleted some time: their change time says nothing.
  if ((mode & S_IFMT) === S_IFCHR && rdev === 0n) return 'whiteout'
  return [ino, mode, size, mtimeNs, ctimeNs].join(' ')
}

function join(directory: string, name: string): string {
  return directory === '' || name === '' ? directory + name : `${directory}/${name}`
}
