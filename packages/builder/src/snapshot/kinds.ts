/**
 * In which room of its directory a store keeps the snapshots of a process: one for each kind, and for each mapping of ids
 * and set of rights, since what is on disk are the ids that a user namespace had outside when they were written, without
 * what could not be made. What is in another room cannot be read as what it was: for builds it is not there, but it takes
 * space and can be deleted. A store can change from one to another, as when a container with other rights builds in it, or
 * when its user gets subordinate ids.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileRights } from '../util/rights.ts'
import { currentBoot, readFacts } from './facts.ts'
import type { SnapshotId, Snapshotter } from './snapshotter.ts'

type Kind = Snapshotter['kind']

const ROOM = /^(?:overlay|copy)(?:-[0-9a-f]{16})?$/

/** Says which room was used last: a hint for those who look before they have a worker. */
const KIND_FILE = 'kind'

/** The name of this process's room for a kind. */
export function roomOf(kind: Kind): string {
  const rights = fileRights()
  return rights === undefined ? kind : `${kind}-${rights}`
}

/** All rooms of a store, by their names. */
export function roomsIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => ROOM.test(name))
  } catch {
    return []
  }
}

/** Remembers the room for {@link committedBefore}. Failing is no harm. */
export function rememberRoom(directory: string, room: string): void {
  if (lastRoom(directory) === room) return
  try {
    writeFileSync(join(directory, KIND_FILE), room, { mode: 0o600 })
  } catch {
    // Looked for in all, then.
  }
}

function lastRoom(directory: string): string | undefined {
  try {
    const text = readFileSync(join(directory, KIND_FILE), 'utf8')
    return ROOM.test(text) ? text : undefined
  } catch {
    return undefined
  }
}

/**
 * Tells of a snapshot whether it can probably be used, without a worker: in the room that was used last, complete. What
 * has happened to its content is not looked at, and the worker may have to use another room.
 */
export function committedBefore(directory: string): (id: SnapshotId) => boolean {
  // Elsewhere than on Linux there are no snapshots.
  if (!existsSync(directory)) return () => false
  const boot = currentBoot()
  const room = lastRoom(directory)
  const places = (room === undefined ? roomsIn(directory) : [room]).map((each) => join(directory, each))
  return (id) => places.some((place) => readFacts(join(place, id), boot) !== undefined)
}
