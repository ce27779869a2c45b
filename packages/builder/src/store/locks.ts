/**
 * Locks between processes that share a store: files that the kernel locks, so that a lock ends with its holder, whichever
 * pid namespace that lives in.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { throwIfAborted } from '../errors.ts'
import { tryLock } from '../util/flock.ts'
import { hasCode } from '../util/has-code.ts'
import { makeDirectorySync } from '../util/make-directory.ts'
import { storeErrors } from './errors.ts'

const [FIRST_WAIT_MS, LONGEST_WAIT_MS] = [1, 200]

export interface Locks {
  /**
   * Waits until no other holder has `name`, then holds it until disposed. Not re-entrant.
   *
   * @param name any text; equal texts are the same lock
   */
  acquire(name: string, signal?: AbortSignal): Promise<AsyncDisposable>
  /** As {@link acquire}, but side by side with others that share it. */
  share(name: string, signal?: AbortSignal): Promise<AsyncDisposable>
  /**
   * Waits until whoever has `name` now lets go of it, then holds it; undefined when another one was quicker: those who
   * come later are not waited for, but for one who takes the place of a holder that died.
   */
  follow(name: string, signal?: AbortSignal): Promise<AsyncDisposable | undefined>
  /** Holds `name` if nobody has it now; undefined otherwise. */
  tryAcquire(name: string): Promise<AsyncDisposable | undefined>
  /** Deletes the files of locks that nobody has: their holders died. */
  sweep(): Promise<void>
}

/** Locks as files in a directory, which is made when first needed. */
export function openLocks(directory: string): Locks {
  async function wait(name: string, kind: 'shared' | 'exclusive', signal?: AbortSignal): Promise<AsyncDisposable> {
    return await poll(() => take(directory, name, kind), signal)
  }
  return {
    acquire: (name, signal) => wait(name, 'exclusive', signal),
    share: (name, signal) => wait(name, 'shared', signal),
    async follow(name, signal) {
      const path = pathOf(directory, name)
      const fd = openLockFile(path, directory)
      try {
        // Whoever lets go of it deletes the file, and the next one has another; whoever dies leaves it to the next.
        await poll(() => (tryLock(fd, 'exclusive') === 'held' ? undefined : true), signal)
        if (isSame(path, fd) && tryLock(fd, 'exclusive') === 'locked') return held(path, fd, 'exclusive')
      } catch (error) {
        closeSync(fd)
        throw error
      }
      closeSync(fd)
      return take(directory, name, 'exclusive')
    },
    tryAcquire: async (name) => take(directory, name, 'exclusive'),
    async sweep() {
      for (const name of await readdir(directory).catch(() => []))
        if (name.endsWith('.lock')) await takeLeft(join(directory, name))?.[Symbol.asyncDispose]()
    },
  }
}

/** A lock whose file is there, unless somebody has it. */
function takeLeft(path: string): AsyncDisposable | undefined {
  let fd: number
  try {
    fd = openSync(path, LOCK_FLAGS & ~constants.O_CREAT)
  } catch {
    // Deleted meanwhile, or no file.
    return undefined
  }
  if (tryLock(fd, 'exclusive') === 'locked' && isSame(path, fd)) return held(path, fd, 'exclusive')
  closeSync(fd)
  return undefined
}

/** Asks again and again, ever more seldom, until there is an answer. */
async function poll<T>(ask: () => T | undefined, signal: AbortSignal | undefined): Promise<T> {
  for (let ms = FIRST_WAIT_MS; ; ms = Math.min(ms * 2, LONGEST_WAIT_MS)) {
    const answer = ask()
    if (answer !== undefined) return answer
    throwIfAborted(signal)
    await delay(ms, undefined, signal && { signal }).catch(() => throwIfAborted(signal))
  }
}

function pathOf(directory: string, name: string): string {
  return join(directory, `${encodeURIComponent(name).slice(0, 200)}.lock`)
}

/** @throws STORE_FORMAT where the file system has no locks */
function take(directory: string, name: string, kind: 'shared' | 'exclusive'): AsyncDisposable | undefined {
  const path = pathOf(directory, name)
  const fd = openLockFile(path, directory)
  let kept = false
  let file: Disposable | undefined
  try {
    const result = tryLock(fd, kind)
    if (result === 'unknown') {
      file = takeFile(`${path}.held`)
      if (file === undefined) return undefined
    }
    if (result === 'unsupported') throw storeErrors.storeFormat([directory, 'its file system has no file locks'])
    // The last holder may have deleted it while it was being opened: then it is nobody's lock.
    if (result === 'held' || !isSame(path, fd)) return undefined
    kept = true
  } finally {
    if (!kept) closeSync(fd)
  }
  return held(path, fd, kind, file)
}

/** @param file what is held instead of the lock */
function held(path: string, fd: number, kind: 'shared' | 'exclusive', file?: Disposable): AsyncDisposable {
  let kept = true
  return {
    async [Symbol.asyncDispose]() {
      if (!kept) return
      kept = false
      // Only who has it alone may delete it.
      if (kind === 'exclusive' && file === undefined && isSame(path, fd)) unlinkSync(path)
      closeSync(fd)
      file?.[Symbol.dispose]()
    },
  }
}

/**
 * Holds a file by its mere existence, where the kernel cannot be asked to lock one: alone in either case. It tells its
 * holder's pid; that of a process which is gone is nobody's.
 */
function takeFile(path: string): Disposable | undefined {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx', mode: 0o600 })
    return { [Symbol.dispose]: () => unlinkSync(path) }
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
    if (isDead(path)) unlinkSync(path)
    return undefined
  }
}

function isDead(path: string): boolean {
  try {
    process.kill(Number(readFileSync(path, 'utf8')), 0)
    return false
  } catch (error) {
    return hasCode(error, 'ESRCH')
  }
}

/** Nobody is waited for at the other end of a FIFO, and no link is followed: these are errors, as a directory is. */
const LOCK_FLAGS = constants.O_WRONLY | constants.O_CREAT | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0)

function openLockFile(path: string, directory: string): number {
  try {
    return openSync(path, LOCK_FLAGS, 0o600)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
    makeDirectorySync(directory, 0o700)
    return openSync(path, LOCK_FLAGS, 0o600)
  }
}

function isSame(path: string, fd: number): boolean {
  const named = statSync(path, { throwIfNoEntry: false })
  const opened = fstatSync(fd)
  return named?.ino === opened.ino && named.dev === opened.dev
}
