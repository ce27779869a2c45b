/** How much room a directory takes. */
import { lstatSync } from 'node:fs'
import { hasCode } from '../util/has-code.ts'
import { fsPath, readDirectory } from '../util/raw-path.ts'

/**
 * Bytes on disk of everything in a directory, files with several names counted once. What somebody else has there and lets
 * nobody look at does not count.
 */
export function directorySize(path: string): number {
  const seen = new Set<number>()
  const pending = [path]
  let bytes = 0
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const entry of entriesOf(directory)) {
      const child = `${directory}/${entry.name}`
      if (entry.isDirectory()) pending.push(child)
      const stat = lstatSync(fsPath(child), { throwIfNoEntry: false })
      if (!stat || (stat.nlink > 1 && !entry.isDirectory() && seen.has(stat.ino))) continue
      if (stat.nlink > 1) seen.add(stat.ino)
      bytes += stat.blocks * 512
    }
  }
  return bytes
}

function entriesOf(directory: string): ReturnType<typeof readDirectory> {
  try {
    return readDirectory(directory)
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'ENOENT')) throw error
    return []
  }
}
