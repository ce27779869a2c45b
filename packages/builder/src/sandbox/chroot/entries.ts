/**
 * Entries of directories that are open: one name at a time, links never followed, so that whatever somebody puts into a
 * tree meanwhile, nothing outside it is read, written or deleted.
 */
import fs from 'node:fs'
import { hasCode } from '../../util/has-code.ts'
import { fsPath, readDirectory } from '../../util/raw-path.ts'
import { O_DIRECTORY, O_NOFOLLOW, O_PATH } from '../native/files.ts'

/** What fs functions take for an entry of the directory that `dir` is open on; they must not follow its last component. */
export function at(dir: number, name: string): string | Buffer {
  return fsPath(`/proc/self/fd/${dir}/${name}`)
}

/** Names in an open directory, in byte order; none in one that was deleted. */
export function namesIn(dir: number): string[] {
  try {
    return readDirectory(`/proc/self/fd/${dir}`).map((entry) => entry.name)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return []
    throw error
  }
}

/** An O_PATH descriptor of the entry itself; undefined when it is not there. */
export function openEntry(dir: number, name: string): number | undefined {
  return open(dir, name, O_PATH | O_NOFOLLOW)
}

/** A descriptor of a directory; undefined when there is none of that name. */
export function openDirectory(dir: number, name: string): number | undefined {
  return open(dir, name, O_DIRECTORY | O_NOFOLLOW)
}

function open(dir: number, name: string, flags: number): number | undefined {
  try {
    return fs.openSync(at(dir, name), flags)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined
    throw error
  }
}

/** Deletes an entry with everything below it; what is missing is ignored. */
export function removeEntry(dir: number, name: string): void {
  try {
    fs.unlinkSync(at(dir, name))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    if (!hasCode(error, 'EISDIR', 'EPERM')) throw error
    const inner = openDirectory(dir, name)
    if (inner === undefined) return
    try {
      for (const below of namesIn(inner)) removeEntry(inner, below)
    } finally {
      fs.closeSync(inner)
    }
    fs.rmdirSync(at(dir, name))
  }
}
