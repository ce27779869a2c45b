/** Listing and deleting snapshots, of whichever kind: what a store does not use any more takes room, too. */
import { join } from 'node:path'
import { CommittedSnapshots } from './committed.ts'
import { roomOf, roomsIn } from './kinds.ts'
import type { SnapshotId, SnapshotInfo, Snapshotter } from './snapshotter.ts'

/** The snapshots of all kinds of a store, of which a process may be using one. */
export class EveryKind {
  readonly #directory: string
  readonly #access: 'read' | 'write'
  readonly #used: Snapshotter | undefined
  #others: CommittedSnapshots[] | undefined

  /** @param access `read`: nothing is made or changed, so that the store may be on a read-only file system */
  constructor(directory: string, access: 'read' | 'write', used?: Snapshotter) {
    this.#directory = directory
    this.#access = access
    this.#used = used
  }

  /** Every committed snapshot, one that is there in several kinds as one. */
  async list(): Promise<SnapshotInfo[]> {
    const found = new Map<SnapshotId, SnapshotInfo>()
    for (const one of [...(this.#used ? [this.#used] : []), ...this.#rest()]) {
      for await (const info of one.list()) {
        const { id, size, created, lastUsed } = found.get(info.id) ?? { ...info, size: 0 }
        found.set(id, {
          id,
          size: size + info.size,
          created: Math.min(created, info.created),
          lastUsed: Math.max(lastUsed, info.lastUsed),
        })
      }
    }
    return [...found.values()]
  }

  /** Takes a snapshot out of reach in all kinds. */
  async discard(id: SnapshotId): Promise<void> {
    await this.#used?.discard(id)
    for (const other of this.#rest()) other.remove(id)
  }

  /** Deletes what was discarded. Returns what could not be deleted, and why. */
  async purge(): Promise<readonly string[]> {
    const problems = [...((await this.#used?.purge()) ?? [])]
    for (const other of this.#others ?? []) {
      other.purge()
      problems.push(...other.problems.splice(0))
    }
    return problems
  }

  close(): void {
    for (const other of this.#others?.splice(0) ?? []) other.close()
  }

  /** Those of the kinds that are not used, opened when they are asked for. */
  #rest(): readonly CommittedSnapshots[] {
    const used = this.#used && roomOf(this.#used.kind)
    this.#others ??= roomsIn(this.#directory)
      .filter((room) => room !== used)
      .map((room) => new CommittedSnapshots(join(this.#directory, room), this.#access))
    return this.#others
  }
}
