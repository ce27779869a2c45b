/**
 * Committed snapshots on disk, for all kinds of snapshotters.
 *
 * ```
 * <directory>/<id>/layer.json   what is known of it; written before the directory gets its name
 * <directory>/<id>/fs/          its content
 * <directory>/<id>/synced       everything of it is on disk
 * <directory>/<id>/size         bytes, once somebody has asked
 * <directory>/.boot             boot in which all of this was last checked
 * <directory>/.new-<owner>.<n>/ not committed; removed when its process is gone
 * ```
 *
 * Content can be made again, so it is not written through to disk when it is committed: rename makes it appear complete
 * to processes, and after a crash of the machine (another boot id) what has no `synced` mark does not count. The marks are
 * set later, with one syncfs for all snapshots that have become old enough for the kernel to have written them anyway.
 */
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
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
import { currentOwner, isAbandoned } from '../util/owner.ts'
import { removeTree } from '../util/remove-tree.ts'
import { syncFs } from '../util/syscalls.ts'
import { snapshotErrors } from './errors.ts'
import { directorySize } from './size.ts'
import type { SnapshotId, SnapshotInfo } from './snapshotter.ts'

/** What layer.json says. */
export interface LayerFacts {
  /** Whether it was prepared on other layers. */
  readonly based: boolean
  /** Whether the attributes of the root directory are part of the change. */
  readonly rootChanged: boolean
  /** Boot in which it was committed. */
  readonly boot: string
}

const OLD_ENOUGH_MS = 60_000
const FORMAT = 1

/** The directory of committed snapshots. All of it is synchronous: it touches a handful of small files. */
export class CommittedSnapshots {
  readonly directory: string
  readonly #boot: string
  readonly #contents = new Map<SnapshotId, string>()
  /** What this process uses stays: builds hold leases. */
  readonly #used = new Map<SnapshotId, LayerFacts>()

  constructor(directory: string) {
    this.directory = directory
    this.#boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    // Others must not reach the set-user-id programs of root filesystems.
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    this.#sweep()
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

  /** What is known of a snapshot, undefined when it is not there or may be damaged. */
  facts(id: SnapshotId): LayerFacts | undefined {
    const path = this.#path(id)
    let facts: LayerFacts & { readonly format: number }
    try {
      facts = JSON.parse(readFileSync(join(path, 'layer.json'), 'utf8')) as LayerFacts & { format: number }
    } catch {
      return undefined
    }
    const complete =
      facts.boot === this.#boot || statSync(join(path, 'synced'), { throwIfNoEntry: false }) !== undefined
    return complete && facts.format === FORMAT ? facts : undefined
  }

  /** As {@link facts}, counted as a use when it is the first one here. @throws SNAPSHOT_MISSING */
  use(id: SnapshotId): LayerFacts {
    const known = this.#used.get(id)
    if (known) return known
    const facts = this.facts(id)
    if (!facts) throw snapshotErrors.snapshotMissing([id])
    const now = new Date()
    utimesSync(this.#path(id), now, now)
    this.#used.set(id, facts)
    return facts
  }

  /** A new directory for an active snapshot or view. */
  temporary(): string {
    return mkdtempSync(join(this.directory, `.new-${currentOwner()}.`))
  }

  /** Gives a finished temporary directory (with its content in `fs`) its name; an existing snapshot stays. */
  install(temporary: string, id: SnapshotId, facts: Omit<LayerFacts, 'boot'>): void {
    writeFileSync(join(temporary, 'layer.json'), JSON.stringify({ format: FORMAT, ...facts, boot: this.#boot }))
    for (;;) {
      try {
        renameSync(temporary, this.#path(id))
        return
      } catch (error) {
        if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error
      }
      if (this.facts(id)) {
        removeTree(temporary)
        return
      }
      // Damaged.
      this.remove(id)
    }
  }

  /** Deletes a snapshot: first its name, so that it is never seen in part. */
  remove(id: SnapshotId): void {
    const path = this.#path(id)
    const aside = this.temporary()
    this.#used.delete(id)
    try {
      renameSync(path, aside)
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
    } finally {
      removeTree(aside)
    }
  }

  async *list(): AsyncGenerator<SnapshotInfo> {
    for (const id of this.#ids()) {
      // Sizes can take a while: others get their turn in between.
      await setImmediate()
      const [used, committed] = [this.#stat(id), this.#stat(id, 'layer.json')]
      if (!used || !committed || !this.facts(id)) continue
      yield { id, size: this.#size(id), created: committed.mtimeMs, lastUsed: used.mtimeMs }
    }
  }

  /** Marks snapshots of this boot as durable once they are. Failing is no harm: they stay unmarked. */
  async markSynced(now: number): Promise<void> {
    const unmarked = this.#ids().filter((id) => {
      const committed = this.#stat(id, 'synced') ? undefined : this.#stat(id, 'layer.json')
      return committed !== undefined && now - committed.mtimeMs > OLD_ENOUGH_MS && this.facts(id) !== undefined
    })
    if (unmarked.length === 0) return
    const fd = openSync(this.directory, 'r')
    try {
      await syncFs(fd)
    } finally {
      closeSync(fd)
    }
    for (const id of unmarked) {
      try {
        writeFileSync(join(this.directory, id, 'synced'), '')
      } catch {
        // Removed meanwhile.
      }
    }
  }

  #path(id: SnapshotId): string {
    if (!/^[\w-][\w.-]{0,99}$/.test(id)) throw snapshotErrors.snapshotId([id])
    return join(this.directory, id)
  }

  #stat(id: SnapshotId, name = ''): Stats | undefined {
    return statSync(join(this.directory, id, name), { throwIfNoEntry: false })
  }

  #ids(): SnapshotId[] {
    return readdirSync(this.directory).filter((name) => !name.startsWith('.'))
  }

  /** Content never changes, so its size is worked out once. */
  #size(id: SnapshotId): number {
    const file = join(this.#path(id), 'size')
    try {
      return Number(readFileSync(file, 'utf8'))
    } catch {
      const used = this.#stat(id)
      const size = directorySize(this.content(id))
      try {
        writeFileSync(file, String(size))
        // Looking is no use.
        if (used) utimesSync(this.#path(id), used.atimeMs / 1000, used.mtimeMs / 1000)
      } catch {
        // Removed meanwhile, or a read-only store.
      }
      return size
    }
  }

  /** Removes what dead processes left and, once after every boot, what a power failure may have damaged. */
  #sweep(): void {
    const now = Date.now()
    for (const name of readdirSync(this.directory)) {
      if (!name.startsWith('.new-')) continue
      const path = join(this.directory, name)
      if (isAbandoned(path, name.slice('.new-'.length), now)) removeTree(path)
    }
    const bootFile = join(this.directory, '.boot')
    try {
      if (readFileSync(bootFile, 'utf8') === this.#boot) return
    } catch {
      // The first time.
    }
    for (const id of this.#ids()) if (!this.facts(id)) this.remove(id)
    writeFileSync(bootFile, this.#boot)
  }
}
