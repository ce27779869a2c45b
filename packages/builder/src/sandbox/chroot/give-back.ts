/**
 * Brings what a process has changed in a copy back to where the copy was made from. Only its changes go back: others may
 * have brought theirs meanwhile.
 */
import { randomUUID } from 'node:crypto'
import fs from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { hasCode } from '../../util/has-code.ts'
import { type Copied, copyAttributes, copyTree, stampOf } from './copy-tree.ts'
import { at, namesIn, openDirectory, openEntry, removeEntry } from './entries.ts'

/**
 * @param copy descriptor (O_PATH) of the copy, wherever it is by now
 * @param known the copy as it was made
 * @param origin descriptor (O_PATH) of what it was made from
 */
export async function giveBack(copy: number, known: Copied, origin: number): Promise<void> {
  const stat = fs.fstatSync(copy, { bigint: true })
  const there = fs.fstatSync(origin)
  if (stat.isDirectory() && there.isDirectory()) await mergeDirectory(copy, known, origin)
  else if (stat.isFile() && there.isFile() && stampOf(stat) !== known.stamp) {
    await copyFile(`/proc/self/fd/${copy}`, `/proc/self/fd/${origin}`)
    copyAttributes(stat, origin)
  }
}

async function mergeDirectory(copy: number, known: Copied | undefined, origin: number): Promise<void> {
  const stat = fs.fstatSync(copy, { bigint: true })
  const names = new Set(namesIn(copy))
  for (const name of names) {
    const entry = openEntry(copy, name)
    if (entry === undefined) continue
    try {
      await mergeEntry(entry, known?.entries?.get(name), origin, name)
    } finally {
      fs.closeSync(entry)
    }
  }
  for (const [name, gone] of known?.entries ?? []) if (!names.has(name)) removeKnown(origin, name, gone)
  if (stampOf(stat) !== known?.stamp) copyAttributes(stat, origin)
}

async function mergeEntry(entry: number, known: Copied | undefined, origin: number, name: string): Promise<void> {
  const stat = fs.fstatSync(entry, { bigint: true })
  if (!stat.isDirectory()) {
    if (isChanged(entry, stat, known)) await replace(entry, origin, name)
    return
  }
  for (let turn = 1; ; turn++) {
    const directory = openDirectory(origin, name)
    // What is as it was copied is left as others have left it, even if that is nothing.
    if (directory === undefined && !isChanged(entry, stat, known)) return
    // A new one has none of its attributes yet.
    const asKnown = directory === undefined ? { stamp: '', entries: known?.entries } : known
    if (await mergeInto(directory ?? makeDirectory(origin, name), entry, asKnown, turn < TURNS)) return
  }
}

/**
 * @param there descriptor of a directory, closed by this
 * @param again whether it can be tried again
 * @returns false if others have deleted the directory meanwhile
 */
async function mergeInto(there: number, entry: number, known: Copied | undefined, again: boolean): Promise<boolean> {
  try {
    await mergeDirectory(entry, known, there)
    return true
  } catch (error) {
    if (!again || !hasCode(error, 'ENOENT') || fs.fstatSync(there).nlink > 0) throw error
    return false
  } finally {
    fs.closeSync(there)
  }
}

/** A descriptor of a directory that is new, or that others have made meanwhile. */
function makeDirectory(parent: number, name: string): number {
  for (let turn = 0; ; turn++) {
    try {
      fs.mkdirSync(at(parent, name), { mode: 0o700 })
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error
    }
    const made = openDirectory(parent, name)
    if (made !== undefined) return made
    if (turn === TURNS) throw new Error(`${name} is never a directory for long`)
    removeEntry(parent, name)
  }
}

/** How often what others put in our way is taken away. */
const TURNS = 100

function isChanged(entry: number, stat: fs.BigIntStats, known: Copied | undefined): boolean {
  if (stampOf(stat) !== known?.stamp) return true
  if (known.entries === undefined) return false
  const names = namesIn(entry)
  if (names.length !== known.entries.size) return true
  return names.some((name) => {
    const below = openEntry(entry, name)
    if (below === undefined) return true
    try {
      return isChanged(below, fs.fstatSync(below, { bigint: true }), known.entries?.get(name))
    } finally {
      fs.closeSync(below)
    }
  })
}

/** Copies what is no directory beside its place and renames, so that others see it whole. */
async function replace(entry: number, origin: number, name: string): Promise<void> {
  const fresh = `.tsbuild-${randomUUID()}`
  try {
    if ((await copyTree(entry, origin, fresh)) === undefined) return
    for (let turn = 0; ; turn++) {
      try {
        return fs.renameSync(at(origin, fresh), at(origin, name))
      } catch (error) {
        if (turn === TURNS || !hasCode(error, 'EISDIR')) throw error
        removeEntry(origin, name)
      }
    }
  } finally {
    removeEntry(origin, fresh)
  }
}

/** Deletes what was copied and is gone in the copy; what others have put beside it stays. */
function removeKnown(origin: number, name: string, known: Copied): void {
  if (known.entries === undefined) {
    try {
      fs.unlinkSync(at(origin, name))
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'EISDIR')) throw error
    }
    return
  }
  const there = openDirectory(origin, name)
  if (there === undefined) return
  try {
    for (const [below, gone] of known.entries) removeKnown(there, below, gone)
  } finally {
    fs.closeSync(there)
  }
  try {
    fs.rmdirSync(at(origin, name))
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'ENOTEMPTY')) throw error
  }
}
