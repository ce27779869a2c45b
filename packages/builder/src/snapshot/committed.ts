/**
 * Committed snapshots on disk, for all kinds of snapshotters.
 *
 * ```
 * <directory>/<id>/layer.json   what is known of it; written before the directory gets its name
 * <directory>/<id>/fs/          its content
 * <directory>/<id>/seal         what its content looked like when it was finished (seal.ts)
 * <directory>/<id>/synced       everything of it is on disk
 * <directory>/<id>/size         bytes, once somebody has asked
 * <directory>/.boot             boot in which all of this was last checked
 * <directory>/.new-<owner>.<n>/ not committed, or on its way out; removed when its process is gone
 * <directory>/../alive/         says which processes live
 * ```
 *
 * Content can be made again, so it is not written through to disk when it is committed: rename makes it appear complete
 * to processes, and after a crash of the machine (another boot id) what has no `synced` mark does not count. The marks are
 * set later, with one syncfs for all snapshots that have become old enough for the kernel to have written them anyway.
 */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  type Stats,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { hasCode } from '../util/has-code.ts'
import { beAlive, type Life } from '../util/life.ts'
import { makeDirectorySync } from '../util/make-directory.ts'
import { removeTree } from '../util/remove-tree.ts'
import { abandonedIn, livesBeside, markSynced, oncePerBoot, UNFINISHED } from './committed-sweep.ts'
import { snapshotErrors } from './errors.ts'
import { currentBoot, FACTS_FILE, type LayerFacts, readFacts, writeFacts } from './facts.ts'
import type { Depth } from './seal.ts'
import { Seals, writeSeal } from './seals.ts'
import { directorySize } from './size.ts'
import type { SnapshotId, SnapshotInfo } from './snapshotter.ts'

/** What an id looks like. */
const NAME = /^[\w-][\w.-]{0,99}$/

/** Attempts to put a snapshot in its place, between which others put damaged ones there. */
const MOST_ATTEMPTS = 3

/** The directory of committed snapshots. All of it is synchronous: it touches a handful of small files. */
export class CommittedSnapshots {
  readonly directory: string
  /** What could not be deleted, and why. */
  readonly problems: string[] = []
  readonly #boot: string
  readonly #access: 'read' | 'write'
  readonly #contents = new Map<SnapshotId, string>()
  /** What this process uses stays: builds hold leases. */
  readonly #used = new Map<SnapshotId, LayerFacts>()
  readonly #seals = new Seals((id) => this.content(id))
  /** Out of reach, to be deleted. */
  readonly #removed: string[] = []
  #life: Life | undefined

  /** @param access `read`: nothing is made or swept, so that the directory may be on a read-only file system */
  constructor(directory: string, access: 'write' | 'read' = 'write') {
    this.directory = directory
    this.#access = access
    this.#boot = currentBoot()
    if (access === 'read') return
    // Others must not reach the set-user-id programs of root filesystems.
    makeDirectorySync(directory, 0o700)
    this.#sweep()
  }

  /** Deletes what was removed and lets others know that this process has nothing left in the directory. */
  close(): void {
    this.purge()
    this.#life?.[Symbol.dispose]()
    this.#life = undefined
  }

  /** Where the content of a snapshot lies. @throws SNAPSHOT_ID */
  content(id: SnapshotId): string {
    let content = this.#contents.get(id)
    if (content === undefined) {
      content = join(this.#path(id), 'fs')
      this.#contents.set(id, content)
    }
    return content
  }

  /** What is known of a snapshot, undefined when it is not there or may be damaged. One that is damaged is removed. */
  sound(id: SnapshotId): LayerFacts | undefined {
    const facts = this.facts(id)
    if (facts && (this.#used.has(id) || this.#seals.isWhole(id))) return facts
    if (this.#stat(id)) this.remove(id)
    return undefined
  }

  /**
   * Looks whether snapshots are still as they were finished; those that are not are removed.
   *
   * @throws SNAPSHOT_DAMAGED
   */
  async verify(ids: readonly SnapshotId[], depth: Depth): Promise<void> {
    for (const id of new Set(ids)) {
      if (this.facts(id) && (await this.#seals.isUnchanged(id, depth))) continue
      try {
        this.remove(id)
      } catch (error) {
        this.problems.push((error as Error).message)
      }
      throw snapshotErrors.snapshotDamaged([id])
    }
  }

  /** What was used or made here until now. */
  get used(): readonly SnapshotId[] {
    return [...this.#used.keys()]
  }

  /** What is written of a snapshot, undefined when it is not there, or may be damaged by a failure of the machine. */
  facts(id: SnapshotId): LayerFacts | undefined {
    return readFacts(this.#path(id), this.#boot)
  }

  /** As {@link facts}, counted as a use when it is the first one here. @throws SNAPSHOT_MISSING */
  use(id: SnapshotId): LayerFacts {
    const known = this.#used.get(id)
    if (known) return known
    const facts = this.sound(id)
    if (!facts) throw snapshotErrors.snapshotMissing([id])
    this.#markUsed(id)
    this.#used.set(id, facts)
    return facts
  }

  /** A new directory for an active snapshot or view. */
  temporary(): string {
    this.#life ??= beAlive(livesBeside(this.directory))
    const prefix = join(this.directory, `${UNFINISHED}${this.#life.owner}.`)
    try {
      return mkdtempSync(prefix)
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
      makeDirectorySync(this.directory, 0o700)
      return mkdtempSync(prefix)
    }
  }

  /**
   * Gives a finished temporary directory (with its content in `fs`) its name, sealed. An existing snapshot stays if it is
   * as its own maker has sealed it; whoever makes one anew may do so because that one is damaged.
   */
  async install(temporary: string, id: SnapshotId, facts: Omit<LayerFacts, 'boot'>): Promise<void> {
    writeFacts(temporary, { ...facts, boot: this.#boot })
    writeSeal(join(temporary, 'fs'))
    for (let attempt = 1; ; attempt++) {
      try {
        renameSync(temporary, this.#path(id))
        this.#seals.trust(id)
        return
      } catch (error) {
        if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR') || attempt === MOST_ATTEMPTS) throw error
      }
      if (this.facts(id) && (await this.#seals.isUnchanged(id, 'files'))) {
        removeTree(temporary)
        return
      }
      // Damaged.
      this.remove(id)
    }
  }

  /** Takes a snapshot out of reach at once: it is there whole or not at all. {@link purge} deletes its content. */
  remove(id: SnapshotId): void {
    const path = this.#path(id)
    const aside = this.temporary()
    this.#used.delete(id)
    this.#seals.forget(id)
    try {
      renameSync(path, join(aside, 'gone'))
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
    } finally {
      this.#removed.push(aside)
    }
  }

  /** Deletes what was removed; what cannot be deleted is one of the {@link problems}. */
  purge(): void {
    for (const path of this.#removed.splice(0)) this.#delete(path)
  }

  /** All that are there, also those that are damaged, which nobody will use. */
  async *list(): AsyncGenerator<SnapshotInfo> {
    for (const id of this.#ids()) {
      // Sizes can take a while: others get their turn in between.
      await setImmediate()
      const used = this.#stat(id)
      const created = this.#stat(id, FACTS_FILE) ?? used
      if (used && created) yield { id, size: this.#size(id), created: created.mtimeMs, lastUsed: used.mtimeMs }
    }
  }

  /** Marks snapshots of this boot as durable once they are. Failing is no harm: they stay unmarked. */
  async markSynced(now: number): Promise<void> {
    await markSynced(this.directory, this.#ids(), now)
  }

  #path(id: SnapshotId): string {
    if (!NAME.test(id)) throw snapshotErrors.snapshotId([id])
    return join(this.directory, id)
  }

  #stat(id: SnapshotId, name = ''): Stats | undefined {
    try {
      return statSync(join(this.directory, id, name), { throwIfNoEntry: false })
    } catch {
      // Damaged, or another user's.
      return undefined
    }
  }

  #ids(): SnapshotId[] {
    if (!existsSync(this.directory)) return []
    return readdirSync(this.directory).filter((name) => NAME.test(name))
  }

  /** Content never changes, so its size is worked out once. */
  #size(id: SnapshotId): number {
    const file = join(this.#path(id), 'size')
    const known = readNumber(file)
    if (known !== undefined) return known
    const used = this.#stat(id)
    const size = existsSync(this.content(id)) ? directorySize(this.content(id)) : 0
    if (this.#access === 'read') return size
    try {
      writeFileSync(file, String(size))
      // Looking is no use.
      if (used) utimesSync(this.#path(id), used.atimeMs / 1000, used.mtimeMs / 1000)
    } catch {
      // Removed meanwhile, or a read-only store.
    }
    return size
  }

  #markUsed(id: SnapshotId): void {
    const now = new Date()
    try {
      utimesSync(this.#path(id), now, now)
    } catch {
      // A mark is only for the order in which prune deletes.
    }
  }

  #delete(path: string): void {
    try {
      removeTree(path)
    } catch (error) {
      this.problems.push((error as Error).message)
    }
  }

  /**
   * Removes what dead processes left and, once after every boot, what a power failure may have damaged. What cannot be
   * removed, because another user has put it there, stays.
   */
  #sweep(): void {
    for (const path of abandonedIn(this.directory, Date.now())) this.#delete(path)
    try {
      oncePerBoot(this.directory, () => {
        for (const id of this.#ids()) if (!this.facts(id)) this.remove(id)
        this.purge()
      })
    } catch (error) {
      this.problems.push((error as Error).message)
    }
  }
}

/** undefined when there is no such file, or something else in it. */
function readNumber(file: string): number | undefined {
  try {
    const text = readFileSync(file, 'utf8')
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined
  } catch {
    return undefined
  }
}
