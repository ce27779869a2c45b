/**
 * Says which process something belongs to, such that others can tell whether it still lives: for leases, temporary files
 * and whatever else is swept when its process is gone.
 *
 * A process that shares a directory with others holds a locked file there, named like itself. The kernel gives the lock
 * up when the process ends, so no clock and no timer has a part in it, and the pids of other pid namespaces (of other
 * containers) need not mean anything here. Processes of one's own pid namespace are looked up by pid, which needs no lock.
 *
 * This is the only way in which the store tells who lives. The registry client's locks of image layouts beat instead: a
 * layout may lie on any file system and that package has nothing native that could ask the kernel for locks.
 *
 * Leaf module.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { tryLock } from './flock.ts'
import { hasCode } from './has-code.ts'
import { makeDirectorySync } from './make-directory.ts'

/** `<pid>-<start time in clock ticks>-<pid namespace>-<boot>-<random>`, safe in file names. */
export type Owner = string

/** How long things are left alone whose name says nothing of their owner, milliseconds. */
const NAMELESS_MS = 24 * 60 * 60 * 1000

/** Being known as alive in a directory, until disposed. */
export interface Life extends Disposable {
  readonly owner: Owner
}

interface Held {
  readonly path: string
  readonly fd: number
  users: number
}

let own: Owner | undefined
/** By directory: a process lives once, however many stores and builds it has open. */
const held = new Map<string, Held>()

/** Names this process, for things that are to be swept when it is gone. */
export function currentOwner(): Owner {
  own ??= [process.pid, startTime(process.pid) ?? 0, pidNamespace(), bootId(), randomBytes(3).toString('hex')].join('-')
  return own
}

/** Makes this process known as alive in `directory`, which is made when it is missing. */
export function beAlive(directory: string): Life {
  const owner = currentOwner()
  let life = held.get(directory)
  if (life !== undefined && statSync(life.path, { throwIfNoEntry: false }) === undefined) {
    // Somebody has deleted it: another one takes its place. Closed last: a number that is free is soon another file's.
    const deleted = life.fd
    life = { ...hold(directory, owner), users: life.users }
    held.set(directory, life)
    closeSync(deleted)
  }
  if (life === undefined) {
    life = hold(directory, owner)
    held.set(directory, life)
  }
  life.users++
  let alive = true
  return {
    owner,
    [Symbol.dispose]() {
      if (!alive) return
      alive = false
      release(directory)
    },
  }
}

function hold(directory: string, owner: Owner): Held {
  makeDirectorySync(directory, 0o700)
  const path = join(directory, owner)
  // It gets its name when it is locked: whoever finds it unlocked may take it for dead.
  const fd = openSync(`${path}.new`, 'w', 0o600)
  try {
    tryLock(fd, 'exclusive')
    renameSync(`${path}.new`, path)
  } catch (error) {
    closeSync(fd)
    throw error
  }
  return { path, fd, users: 0 }
}

function release(directory: string): void {
  const life = held.get(directory)
  if (life === undefined || --life.users > 0) return
  held.delete(directory)
  remove(life.path)
  closeSync(life.fd)
}

/**
 * Whether the process is gone that `name` begins with (`<owner>` or `<owner>.<anything>`).
 *
 * @param directory where it made itself known; undefined for things that have no such place: those of processes that cannot
 *   be looked up then count as nameless
 * @param touched when the thing that has the name was last changed, milliseconds since the epoch: decides for names that
 *   tell of no process, which others or earlier versions have made
 */
export function isGone(directory: string | undefined, name: string, touched: number, now: number): boolean {
  const match = /^((\d+)-(\d+)-(\d+)(?:-([0-9a-f]+)-[0-9a-f]+)?)(?:\.|$)/.exec(name)
  if (match === null) return now - touched > NAMELESS_MS
  const [, owner, pid, started, namespace, boot] = match
  if (namespace === pidNamespace() && (boot === undefined || boot === bootId())) {
    const state = stateOf(Number(pid), started!)
    if (state !== 'unknown') return state === 'gone'
  }
  return boot === undefined || directory === undefined
    ? now - touched > NAMELESS_MS
    : !isLocked(join(directory, owner!))
}

/** Whether the thing at `path` was left by a process that is gone; see {@link isGone}. */
export function isAbandoned(directory: string | undefined, path: string, name: string, now: number): boolean {
  const touched = statSync(path, { throwIfNoEntry: false })?.mtimeMs
  return touched !== undefined && isGone(directory, name, touched, now)
}

/** Removes the files of processes that are gone. */
export function sweepLives(directory: string, now: number): void {
  let names: string[]
  try {
    names = readdirSync(directory)
  } catch {
    return
  }
  for (const name of names) {
    if (name === own) continue
    const path = join(directory, name)
    try {
      // One that has not got its name yet is locked in a moment.
      const owner = name.endsWith('.new') ? '' : name
      if (isAbandoned(directory, path, owner, now)) remove(path)
    } catch {
      // Gone meanwhile, or somebody else's.
    }
  }
}

/** What cannot be looked at counts as locked. */
function isLocked(path: string): boolean {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  } catch (error) {
    return !hasCode(error, 'ENOENT')
  }
  try {
    return tryLock(fd, 'shared') !== 'locked'
  } finally {
    closeSync(fd)
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // Whoever finds it unlocked removes it.
  }
}

/** What is known of a pid of this namespace. */
function stateOf(pid: number, started: string): 'alive' | 'gone' | 'unknown' {
  const now = startTime(pid)
  if (now !== undefined) return now === started ? 'alive' : 'gone'
  if (statOf(pid) !== undefined) return 'gone'
  try {
    process.kill(pid, 0)
    // Its entry in /proc may be hidden from other users.
    return process.platform === 'linux' ? 'unknown' : 'alive'
  } catch (error) {
    return hasCode(error, 'EPERM') ? 'unknown' : 'gone'
  }
}

/** undefined when there is no such process, or none that runs. */
function startTime(pid: number): string | undefined {
  // The name in field 2 may hold blanks and parentheses: count from the last one. Field 22 is the start time.
  const stat = statOf(pid)
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  // A zombie has ended; its entry only waits for its parent.
  return fields === undefined || fields[0] === 'Z' ? undefined : fields[19]
}

function statOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
}

function pidNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0'
  } catch {
    return '0'
  }
}

let boot: string | undefined

/** Names this run of the kernel: pids and start times mean nothing in another one. */
function bootId(): string {
  try {
    boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8)
  } catch {
    boot = '0'
  }
  return boot
}
