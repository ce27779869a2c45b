/**
 * Deletes trees that somebody else has made, or still changes: no link is followed, whatever takes a directory's place
 * meanwhile, and no tree is too deep. Linux only. Leaf module.
 */
import { randomUUID } from 'node:crypto'
import { closeSync, constants, lstatSync, openSync, renameSync, rmdirSync, unlinkSync } from 'node:fs'
import { hasCode } from './has-code.ts'
import { fsPath, readDirectory } from './raw-path.ts'

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
/** Directories that are open at a time: what lies deeper is moved up first. */
const MOST_OPEN = 64
/** What somebody else puts into a directory while it is deleted is deleted so often, too. */
const MOST_TURNS = 100

interface Level {
  /** Descriptor of the directory. */
  readonly fd: number
  /** What it is called in the level above, or its path. */
  readonly place: string
  /** Names in it that are still to be deleted. */
  names: string[]
  turns: number
}

/**
 * Deletes a file, or a directory with everything in it. Whatever is missing is ignored.
 *
 * @param path where nobody else can change what is above its last component
 */
export function removeTree(path: string): void {
  const levels: Level[] = []
  try {
    enter(levels, path)
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const name = level.names.pop()
      if (name !== undefined) remove(levels, level, name)
      else leave(levels, level)
    }
  } finally {
    for (const { fd } of levels) closeSync(fd)
  }
}

/** Deletes what is at a place unless it is a directory, which is opened as the next level. */
function enter(levels: Level[], place: string): void {
  const path = fsPath(place)
  for (let turn = 1; !unlinked(path); turn++) {
    let fd: number
    try {
      fd = openSync(path, DIRECTORY)
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return
      // Something else stands there by now, or it is a file that cannot be deleted.
      if (hasCode(error, 'ENOTDIR', 'ELOOP') && turn < MOST_TURNS) continue
      throw error
    }
    levels.push({ fd, place, names: namesIn(fd), turns: 0 })
    return
  }
}

/** Deletes a file; false if it is a directory. */
function unlinked(path: string | Buffer): boolean {
  try {
    unlinkSync(path)
  } catch (error) {
    if (hasCode(error, 'EISDIR')) return false
    // What some file systems say of directories, and all of files that must not be deleted.
    if (hasCode(error, 'EPERM') && lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return false
    if (!hasCode(error, 'ENOENT')) throw error
  }
  return true
}

function remove(levels: Level[], level: Level, name: string): void {
  const top = levels[0]!
  const place = within(level.fd, name)
  if (levels.length < MOST_OPEN || !moveUp(place, top)) enter(levels, place)
}

/** Moves a directory to the top, to be deleted from there; false for what can or need not be moved. */
function moveUp(place: string, top: Level): boolean {
  const path = fsPath(place)
  if (unlinked(path)) return true
  const name = randomUUID()
  try {
    renameSync(path, within(top.fd, name))
  } catch {
    return false
  }
  top.names.push(name)
  return true
}

/** Deletes a directory that has been emptied. */
function leave(levels: Level[], level: Level): void {
  try {
    rmdirSync(fsPath(level.place))
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY', 'EEXIST') && ++level.turns < MOST_TURNS) {
      level.names = namesIn(level.fd)
      if (level.names.length > 0) return
      // Not this directory: another one stands in its place, and is met when the one above is looked at again.
      if (levels.length === 1) throw error
    } else if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
  }
  levels.pop()
  closeSync(level.fd)
}

function namesIn(fd: number): string[] {
  return readDirectory(`/proc/self/fd/${fd}`).map((entry) => entry.name)
}

function within(fd: number, name: string): string {
  return `/proc/self/fd/${fd}/${name}`
}
