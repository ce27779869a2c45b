/**
 * The directories behind `RUN --mount=type=cache`: they survive builds, are shared by processes, and can be thrown away.
 *
 * `<directory>/<hash of id>[.n]/data`; `.n` are further copies for `sharing=private` while others are in use. Beside it
 * are `<owner>.new-…` and `<owner>.old-…`, on their way in and out.
 *
 * What is in `data` belongs to the processes that have it mounted, now as well: nothing in it is walked by its path.
 */
import { randomUUID } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  opendirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { resolveBelow } from '../sandbox/native/resolve.ts'
import { directorySize } from '../snapshot/size.ts'
import type { MountInfo } from '../store/index.ts'
import { type Locks, openLocks } from '../store/locks.ts'
import { beAlive, isAbandoned, type Life } from '../util/life.ts'
import { makeDirectorySync } from '../util/make-directory.ts'
import { removeTree } from '../util/remove-tree.ts'
import { type CacheSpec, cacheMountName } from './cache-mount-name.ts'

/** A cache directory in use; disposing releases its lock. */
export interface OpenCache extends AsyncDisposable {
  /** What to mount: an O_PATH descriptor, the caller's to close. */
  readonly fd: number
}

/** What caches are called. */
const NAME = /^[0-9a-f]{40}(?:\.\d+)?$/

/** The lock that who has a cache mounted shares with others. */
const inUse = (name: string): string => `use-${name}`

/** Private copies that are tried before one is waited for. */
const MAX_COPIES = 64

export class CacheMounts {
  readonly #directory: string
  readonly #lives: string
  readonly #locks: Locks
  /** Caches that `--no-cache` has emptied already in this build. */
  readonly #renewed = new Set<string>()

  /** @param lives where processes are known as alive */
  constructor(directory: string, lives: string) {
    this.#directory = directory
    this.#lives = lives
    this.#locks = openLocks(join(directory, 'locks'))
  }

  /**
   * Opens a cache, waiting for it if it is locked by others.
   *
   * @param seed fills a new cache's directory
   */
  async open(
    spec: CacheSpec,
    seed: ((directory: string) => Promise<void>) | undefined,
    signal: AbortSignal,
  ): Promise<OpenCache> {
    const name = cacheMountName(spec)
    const { directory, lock } = await this.#take(name, spec.sharing, signal)
    const use = await this.#locks.share(inUse(basename(directory)), signal).catch(async (error: unknown) => {
      await lock?.[Symbol.asyncDispose]()
      throw error
    })
    const end = async (): Promise<void> => {
      await use[Symbol.asyncDispose]()
      await lock?.[Symbol.asyncDispose]()
    }
    try {
      using life = beAlive(this.#lives)
      const data = join(directory, 'data')
      this.#sweep(directory)
      if (spec.renew && !this.#renewed.has(directory)) discard(directory, data, life)
      this.#renewed.add(directory)
      if (!existsSync(data)) await this.#create(directory, data, spec, seed, life)
      const now = new Date()
      utimesSync(directory, now, now)
      // The source of a seeded cache has been taken care of by the seed.
      const source = seed === undefined ? spec.source : ''
      const { fd } = resolveBelow(data, source, { create: 'directory' })
      return { fd, [Symbol.asyncDispose]: end }
    } catch (error) {
      await end()
      throw error
    }
  }

  /** Every cache, with the id of its mount as its description. */
  list(): MountInfo[] {
    return this.#names().flatMap((id) => {
      const directory = join(this.#directory, id)
      const used = statSync(directory, { throwIfNoEntry: false })
      const described = statSync(join(directory, 'id'), { throwIfNoEntry: false })
      if (used === undefined || described === undefined) return []
      const description = readFileSync(join(directory, 'id'), 'utf8')
      const size = directorySize(directory)
      return [{ id, description, size, created: described.mtimeMs, lastUsed: used.mtimeMs }]
    })
  }

  /** Deletes a cache unless a process has it mounted. @returns whether it is gone */
  async remove(id: string): Promise<boolean> {
    if (!this.#names().includes(id)) return false
    await using lock = await this.#locks.tryAcquire(inUse(id))
    if (lock === undefined) return false
    using life = beAlive(this.#lives)
    const directory = join(this.#directory, id)
    // Whole or not at all: who comes next makes a new one.
    discard(directory, join(directory, 'data'), life)
    removeTree(directory)
    return true
  }

  /** Whether there is nothing in a cache yet. */
  isEmpty(name: string): boolean {
    return isEmptyDirectory(join(this.#directory, name, 'data'))
  }

  /**
   * Gives a cache its first content: it is made beside its place, and put there when it is whole, unless somebody uses
   * the cache by then or it has got content.
   *
   * @param fill fills an empty directory that nobody else knows
   * @returns whether it is there now
   */
  async fill(spec: CacheSpec, fill: (directory: string) => Promise<void>): Promise<boolean> {
    const name = cacheMountName(spec)
    const directory = join(this.#directory, name)
    const data = join(directory, 'data')
    if (!isEmptyDirectory(data)) return false
    using life = beAlive(this.#lives)
    this.#sweep(directory)
    const fresh = newDirectory(directory, spec, life)
    try {
      await fill(fresh)
      await using alone = await this.#locks.tryAcquire(inUse(name))
      if (alone === undefined || !isEmptyDirectory(data)) return false
      renameSync(fresh, data)
      return true
    } finally {
      // What is in it has been read from elsewhere: it is of no use in part.
      if (existsSync(fresh)) removeTree(fresh)
    }
  }

  /**
   * Reads what a cache holds, as a RUN would use it: not while another process has locked it, and side by side with
   * those that share it.
   *
   * @returns undefined when there is none, `busy` when another build has it to itself
   */
  async read<T>(
    name: string,
    sharing: CacheSpec['sharing'],
    use: (directory: string) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | 'busy' | undefined> {
    await using lock = sharing === 'shared' ? undefined : await this.#locks.tryAcquire(name)
    if (sharing !== 'shared' && lock === undefined) return 'busy'
    await using _use = await this.#locks.share(inUse(name), signal)
    const data = join(this.#directory, name, 'data')
    return existsSync(data) ? await use(data) : undefined
  }

  #names(): string[] {
    if (!existsSync(this.#directory)) return []
    return readdirSync(this.#directory).filter((name) => NAME.test(name))
  }

  /** Removes what dead processes have left of making or emptying a cache. */
  #sweep(directory: string): void {
    if (!existsSync(directory)) return
    const now = Date.now()
    for (const name of readdirSync(directory)) {
      const path = join(directory, name)
      if (/\.(new|old)-/.test(name) && isAbandoned(this.#lives, path, name, now)) removeQuietly(path)
    }
  }

  async #take(
    name: string,
    sharing: CacheSpec['sharing'],
    signal: AbortSignal,
  ): Promise<{ directory: string; lock: AsyncDisposable | undefined }> {
    if (sharing === 'shared') return { directory: join(this.#directory, name), lock: undefined }
    if (sharing === 'locked')
      return { directory: join(this.#directory, name), lock: await this.#locks.acquire(name, signal) }
    for (let copy = 0; copy < MAX_COPIES; copy++) {
      const own = copy === 0 ? name : `${name}.${copy}`
      const lock = await this.#locks.tryAcquire(own)
      if (lock) return { directory: join(this.#directory, own), lock }
    }
    return { directory: join(this.#directory, name), lock: await this.#locks.acquire(name, signal) }
  }

  /** Makes the directory beside its place, so that others see it whole. */
  async #create(
    directory: string,
    data: string,
    spec: CacheSpec,
    seed: ((directory: string) => Promise<void>) | undefined,
    life: Life,
  ): Promise<void> {
    const fresh = newDirectory(directory, spec, life)
    await seed?.(fresh)
    try {
      renameSync(fresh, data)
    } catch (error) {
      removeTree(fresh)
      // Another process was first.
      if (!existsSync(data)) throw error
    }
  }
}

/** An empty directory on its way to become a cache's. */
function newDirectory(directory: string, spec: CacheSpec, { owner }: Life): string {
  makeDirectorySync(directory, 0o700)
  writeFileSync(join(directory, 'id'), spec.id)
  const fresh = join(directory, `${owner}.new-${randomUUID()}`)
  mkdirSync(fresh)
  chownSync(fresh, spec.uid, spec.gid)
  chmodSync(fresh, spec.mode)
  return fresh
}

/** Also one that is not there. */
function isEmptyDirectory(path: string): boolean {
  if (!existsSync(path)) return true
  const directory = opendirSync(path)
  try {
    return directory.readSync() === null
  } finally {
    directory.closeSync()
  }
}

/** Processes that have it mounted keep what they see, until it is deleted below them. */
function discard(directory: string, data: string, { owner }: Life): void {
  if (!existsSync(data)) return
  const old = join(directory, `${owner}.old-${randomUUID()}`)
  renameSync(data, old)
  removeQuietly(old)
}

/** A process may still make files in it: who comes here when this one is gone deletes the rest. */
function removeQuietly(path: string): void {
  try {
    removeTree(path)
  } catch {
    // Swept later.
  }
}
