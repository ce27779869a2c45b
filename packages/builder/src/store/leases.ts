/**
 * Leases: what builds and copies that are under way use. A lease is a file to which its holder adds what it is about to
 * use, one line each, before it looks whether that is there. Whoever deletes something takes it out of reach, while
 * nobody can add to a lease, and only what no live lease names. So what is found after it was claimed stays.
 */
import { closeSync, fstatSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { lstat, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hasCode } from '../util/has-code.ts'
import { beAlive, isGone } from '../util/life.ts'
import { makeDirectorySync } from '../util/make-directory.ts'
import { readPlainFile } from '../util/plain-file.ts'
import { openLocks } from './locks.ts'

/** What must not be pruned. */
export interface StoreRefs {
  readonly blobs?: readonly string[]
  readonly snapshots?: readonly string[]
}

/** A build that is under way; disposing ends it. */
export interface Lease extends AsyncDisposable {
  /**
   * Keeps blobs and snapshots from now on, there or not. What is there afterwards stays there until the lease ends.
   */
  keep(refs: StoreRefs): Promise<void>
}

/** A live lease as prune sees it. */
export interface LeaseInfo {
  /** When it began, milliseconds since the epoch; -Infinity when it cannot be read, so that it keeps everything. */
  readonly started: number
  readonly refs: Required<StoreRefs>
}

/** Shared while something is added to a lease, and held alone to take things out of reach. */
export interface Gate {
  share(signal?: AbortSignal): Promise<AsyncDisposable>
  acquire(signal?: AbortSignal): Promise<AsyncDisposable>
}

/** Of a lease that is read: half a million things. */
const MAX_BYTES = 64 * 1024 * 1024

/** The gate of a store. */
export function openGate(root: string): Gate {
  const locks = openLocks(root)
  return { share: (signal) => locks.share('gate', signal), acquire: (signal) => locks.acquire('gate', signal) }
}

export interface Leases {
  begin(now: number): Promise<Lease>
  live(now: number): Promise<LeaseInfo[]>
}

/** Leases as files in a directory, which is made when first needed. @param lives where processes are known as alive */
export function openLeases(directory: string, lives: string, gate: Gate): Leases {
  let count = 0
  return {
    async begin(now) {
      const life = beAlive(lives)
      try {
        const path = join(directory, `${life.owner}.${++count}`)
        const log = new LeaseLog(path, now, gate)
        return {
          keep: (refs) => log.keep(refs),
          async [Symbol.asyncDispose]() {
            log.end()
            life[Symbol.dispose]()
          },
        }
      } catch (error) {
        life[Symbol.dispose]()
        throw error
      }
    },
    async live(now) {
      const found: LeaseInfo[] = []
      for (const name of await readdir(directory).catch(() => [])) {
        const path = join(directory, name)
        const file = await lstat(path).catch(() => undefined)
        if (!file) continue
        if (isGone(lives, name, file.mtimeMs, now)) await rm(path, { recursive: true, force: true }).catch(() => {})
        else found.push(parseLease((await readPlainFile(path, MAX_BYTES))?.toString() ?? ''))
      }
      return found
    },
  }
}

/** The file of one lease. */
class LeaseLog {
  readonly #path: string
  readonly #started: string
  readonly #gate: Gate
  /** Lines that are in the file. */
  readonly #kept = new Set<string>()
  #fd: number | undefined

  constructor(path: string, now: number, gate: Gate) {
    this.#path = path
    this.#started = `started ${now}\n`
    this.#gate = gate
    this.#open()
  }

  async keep({ blobs = [], snapshots = [] }: StoreRefs): Promise<void> {
    const lines = [...blobs.map((digest) => `blob ${digest}\n`), ...snapshots.map((id) => `snapshot ${id}\n`)]
    const added = lines.filter((line) => !this.#kept.has(line))
    if (added.length === 0 || this.#fd === undefined) return
    await using _open = await this.#gate.share()
    if (this.#fd === undefined) return
    if (fstatSync(this.#fd).nlink === 0) {
      // Somebody has deleted the file. Closed last: a number that is free is soon another file's.
      const deleted = this.#fd
      this.#open()
      closeSync(deleted)
      added.push(...this.#kept)
    }
    writeSync(this.#fd, added.join(''))
    for (const line of added) this.#kept.add(line)
  }

  end(): void {
    if (this.#fd === undefined) return
    closeSync(this.#fd)
    this.#fd = undefined
    try {
      unlinkSync(this.#path)
    } catch (error) {
      // Gone with all that was around it.
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
    }
  }

  #open(): void {
    makeDirectorySync(dirname(this.#path), 0o700)
    const fd = openSync(this.#path, 'a', 0o600)
    try {
      writeSync(fd, this.#started)
    } catch (error) {
      closeSync(fd)
      throw error
    }
    this.#fd = fd
  }
}

const UNREADABLE: LeaseInfo = { started: Number.NEGATIVE_INFINITY, refs: { blobs: [], snapshots: [] } }

function parseLease(text: string): LeaseInfo {
  const lines = text.split('\n')
  const started = Number(/^started (\d+)$/.exec(lines.shift() ?? '')?.[1] ?? Number.NaN)
  if (Number.isNaN(started) || lines.pop() !== '') return UNREADABLE
  const blobs: string[] = []
  const snapshots: string[] = []
  for (const line of lines) {
    const [kind, id, ...more] = line.split(' ')
    if (id === undefined || more.length > 0) return UNREADABLE
    if (kind === 'blob') blobs.push(id)
    else if (kind === 'snapshot') snapshots.push(id)
    else return UNREADABLE
  }
  return { started, refs: { blobs, snapshots } }
}
