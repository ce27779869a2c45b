/**
 * Locks and leases between processes that share a store.
 *
 * A *lock* is held by one process at a time and names it; a lock whose process is gone is broken by the next one. A
 * *lease* says that a build is under way: prune keeps what was written or used since the oldest live lease began, and
 * what a lease names.
 */
import { randomUUID } from 'node:crypto'
import { link, mkdir, readdir, readFile, rename, rm, stat, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { throwIfAborted } from '../errors.ts'
import { currentOwner, isGone } from '../util/owner.ts'

/** How often a holder gives a sign of life, for processes that cannot see its pid. */
const SIGN_OF_LIFE_MS = 5 * 60 * 1000
const [FIRST_WAIT_MS, LONGEST_WAIT_MS] = [5, 200]

export interface Locks {
  /**
   * Waits until no other holder has `name`, then holds it until disposed. Not re-entrant.
   *
   * @param name any text; equal texts are the same lock
   */
  acquire(name: string, signal?: AbortSignal): Promise<AsyncDisposable>
  /** Holds `name` if nobody has it now; undefined otherwise. */
  tryAcquire(name: string): Promise<AsyncDisposable | undefined>
}

/** Locks as files in a directory, which is made when first needed. */
export function openLocks(directory: string): Locks {
  let counter = 0

  /** Tries once, and again after breaking a stale lock. */
  async function attempt(claim: string, path: string): Promise<boolean> {
    if (await take(claim, path)) return true
    if (!(await isStale(path))) return false
    await breakLock(claim, path)
    return await take(claim, path)
  }

  async function claimed(
    name: string,
    work: (claim: string, path: string) => Promise<boolean>,
  ): Promise<AsyncDisposable | undefined> {
    await mkdir(directory, { recursive: true })
    const path = join(directory, `${encodeURIComponent(name).slice(0, 200)}.lock`)
    const claim = join(directory, `${currentOwner()}.claim-${++counter}`)
    await writeFile(claim, currentOwner())
    try {
      return (await work(claim, path)) ? holder(path, () => unlink(path)) : undefined
    } finally {
      await unlink(claim)
    }
  }

  return {
    tryAcquire: (name) => claimed(name, attempt),
    async acquire(name, signal) {
      const held = await claimed(name, async (claim, path) => {
        for (let wait = FIRST_WAIT_MS; !(await attempt(claim, path)); wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
          throwIfAborted(signal)
          await delay(wait, undefined, signal && { signal }).catch(() => throwIfAborted(signal))
        }
        return true
      })
      return held!
    },
  }
}

/** Makes `path` a second name of the claim: atomic, and never over an existing lock. */
async function take(claim: string, path: string): Promise<boolean> {
  try {
    await link(claim, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function isStale(path: string): Promise<boolean> {
  try {
    const [owner, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)])
    return isGone(owner, mtimeMs, Date.now())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/**
 * Takes a dead holder's lock away. Only who holds `<lock>.break` may, and looks again first: otherwise two waiters that
 * saw the same dead holder could remove each other's new lock.
 */
async function breakLock(claim: string, path: string): Promise<void> {
  const guard = `${path}.break`
  if (!(await take(claim, guard))) {
    if (await isStale(guard))
      await rename(guard, `${claim}.broken`).then(
        () => unlink(`${claim}.broken`),
        () => undefined,
      )
    return
  }
  try {
    if (await isStale(path)) await unlink(path)
  } finally {
    await unlink(guard)
  }
}

/** Keeps a file's time fresh until it is let go. */
function holder(path: string, release: () => Promise<void>): AsyncDisposable {
  const timer = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => undefined)
  }, SIGN_OF_LIFE_MS)
  timer.unref()
  let held = true
  return {
    async [Symbol.asyncDispose]() {
      if (!held) return
      held = false
      clearInterval(timer)
      await release()
    },
  }
}

/** What must not be pruned. */
export interface StoreRefs {
  readonly blobs?: readonly string[]
  readonly snapshots?: readonly string[]
}

/** A build that is under way; disposing ends it. */
export interface Lease extends AsyncDisposable {
  /** Keeps blobs and snapshots that the build found and will use, although no record names them. */
  keep(refs: StoreRefs): Promise<void>
}

/** A live lease as prune sees it. */
export interface LeaseInfo {
  /** When it began, milliseconds since the epoch. */
  readonly started: number
  readonly refs: Required<StoreRefs>
}

/** Leases as files in a directory, which is made when first needed. */
export function openLeases(directory: string): {
  begin(now: number): Promise<Lease>
  live(now: number): Promise<LeaseInfo[]>
} {
  return {
    async begin(now) {
      await mkdir(directory, { recursive: true })
      const path = join(directory, `${currentOwner()}.${randomUUID()}.json`)
      const refs = { blobs: new Set<string>(), snapshots: new Set<string>() }
      const write = async () => {
        await writeFile(
          `${path}.new`,
          JSON.stringify({ started: now, refs: { blobs: [...refs.blobs], snapshots: [...refs.snapshots] } }),
        )
        await rename(`${path}.new`, path)
      }
      await write()
      // Writes follow each other: two at once would take each other's temporary name.
      let last = Promise.resolve()
      return {
        keep(more) {
          for (const blob of more.blobs ?? []) refs.blobs.add(blob)
          for (const snapshot of more.snapshots ?? []) refs.snapshots.add(snapshot)
          last = last.then(write)
          return last
        },
        ...holder(path, () => rm(path, { force: true })),
      }
    },
    async live(now) {
      const found: LeaseInfo[] = []
      for (const name of await readdir(directory).catch(() => [])) {
        const path = join(directory, name)
        const touched = await stat(path).catch(() => undefined)
        if (!touched) continue
        if (isGone(name.slice(0, name.indexOf('.')), touched.mtimeMs, now)) await rm(path, { force: true })
        else if (name.endsWith('.json')) found.push(JSON.parse(await readFile(path, 'utf8')) as LeaseInfo)
      }
      return found
    },
  }
}
