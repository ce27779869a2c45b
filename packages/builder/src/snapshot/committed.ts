/**
 * Committed snapshots on disk, for all kinds of snapshotters.
 *
 * ```
 * <directory>/<id>/layer.json   what is known of it; written before the directory gets its name
 * <directory>/<id>/fs/          its content
 * <directory>/<id>/synced       everything of it is on disk
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
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { currentOwner, isAbandoned } from '../util/owner.ts'
import { readDirectory, removeTree } from '../util/raw-path.ts'
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
  #counter = 0

  constructor(directory: string) {
    this.directory = directory
    this.#boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    // Others must not reach the set-user-id programs of root filesystems.
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    this.#sweep()
  }

  /** Where the content of a snapshot lies. @throws SNAPSHOT_ID */
  content(id: SnapshotId): string {
    return join(this.#path(id), 'fs')
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

  /** As {@link facts}, counted as a use. @throws SNAPSHOT_MISSING */
  use(id: SnapshotId): LayerFacts {
    const facts = this.facts(id)
    if (!facts) throw snapshotErrors.snapshotMissing([id])
    const now = new Date()
    utimesSync(this.#path(id), now, now)
    return facts
  }

  /** A new directory for an active snapshot or view. */
  temporary(): string {
    const path = join(this.directory, `.new-${currentOwner()}.${++this.#counter}`)
    mkdirSync(path, { mode: 0o700 })
    return path
  }

  /** Gives a finished temporary directory (with its content in `fs`) its name; an existing snapshot stays. */
  install(temporary: string, id: SnapshotId, facts: Omit<LayerFacts, 'boot'>): void {
    if (this.facts(id)) {
      removeTree(temporary)
      return
    }
    this.remove(id)
    writeFileSync(join(temporary, 'layer.json'), JSON.stringify({ format: FORMAT, ...facts, boot: this.#boot }))
    try {
      renameSync(temporary, this.#path(id))
    } catch (error) {
      // Another process was faster.
      if (!this.facts(id)) throw error
      removeTree(temporary)
    }
  }

  /** Deletes a snapshot: first its name, so that it is never seen in part. */
  remove(id: SnapshotId): void {
    const aside = join(this.directory, `.new-${currentOwner()}.${++this.#counter}`)
    try {
      renameSync(this.#path(id), aside)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    removeTree(aside)
  }

  *list(): Generator<SnapshotInfo> {
    for (const id of readdirSync(this.directory)) {
      if (id.startsWith('.') || !this.facts(id)) continue
      const [{ mtimeMs: lastUsed }, { mtimeMs: created }] = [
        statSync(this.#path(id)),
        statSync(join(this.#path(id), 'layer.json')),
      ]
      yield { id, size: directorySize(this.content(id)), created, lastUsed }
    }
  }

  /** Marks snapshots of this boot as durable once they are. Failing is no harm: they stay unmarked. */
  async markSynced(now: number): Promise<void> {
    const unmarked = readdirSync(this.directory).filter((id) => {
      if (id.startsWith('.') || statSync(join(this.directory, id, 'synced'), { throwIfNoEntry: false })) return false
      const facts = statSync(join(this.directory, id, 'layer.json'), { throwIfNoEntry: false })
      return facts !== undefined && now - facts.mtimeMs > OLD_ENOUGH_MS && this.facts(id) !== undefined
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

  #sweep(): void {
    const now = Date.now()
    for (const { name } of readDirectory(this.directory)) {
      if (!name.startsWith('.new-')) continue
      const path = join(this.directory, name)
      if (isAbandoned(path, name.slice('.new-'.length), now)) removeTree(path)
    }
  }
}
