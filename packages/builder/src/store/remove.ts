/**
 * Deletes from a store what others may be about to use: takes it out of reach while nobody can claim anything (see
 * leases.ts), only what no live lease and no name holds by now, and deletes it afterwards.
 */
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode } from '../util/has-code.ts'
import type { TemporaryPath } from './content-store.ts'
import type { RecordInfo } from './records.ts'
import type { Store } from './store.ts'
import { CONTEXTS, type ImageContent, type Inventory, imageContent, type SnapshotTable } from './usage.ts'
import type { UsageItem } from './usage-item.ts'

/** Something that is to go. Records come before what they need, so that none ever points at nothing. */
export type Removal =
  | { readonly kind: Exclude<UsageItem['kind'], 'record'>; readonly item: UsageItem }
  | { readonly kind: 'record'; readonly item: UsageItem; readonly record: RecordInfo }

export class Remover implements AsyncDisposable {
  /** What is out of reach, in the order in which it went. */
  readonly removed: Removal[] = []
  readonly #store: Store
  readonly #snapshots: SnapshotTable | undefined
  readonly #aside: TemporaryPath
  readonly #problems: string[] = []
  #images: ImageContent

  private constructor(store: Store, snapshots: SnapshotTable | undefined, images: ImageContent, aside: TemporaryPath) {
    this.#store = store
    this.#snapshots = snapshots
    this.#images = images
    this.#aside = aside
  }

  /** @param inventory what the removals were chosen from */
  static async open(store: Store, snapshots: SnapshotTable | undefined, { images }: Inventory): Promise<Remover> {
    return new Remover(store, snapshots, images, await store.blobs.temporary('pruned'))
  }

  /** Takes things out of reach; what is used by now stays. */
  async remove(removals: readonly Removal[], now: number): Promise<void> {
    await using _alone = await this.#store.gate.acquire()
    const leases = await this.#store.leases(now)
    // One that cannot be read may hold anything.
    if (leases.some(({ started }) => started === Number.NEGATIVE_INFINITY)) return
    this.#images = await imageContent(this.#store, this.#images)
    const leased = new Set(leases.flatMap(({ refs }) => [...refs.blobs, ...refs.snapshots]))
    for (const removal of removals) {
      if (this.#isUsed(removal, leased)) continue
      try {
        if (await this.#takeAway(removal)) this.removed.push(removal)
      } catch (error) {
        this.#problems.push(`${removal.kind} ${removal.item.id}: ${(error as Error).message}`)
      }
    }
  }

  /** Forgets what is attached to images that are gone. Waits for a time when nobody copies: attaching comes before naming. */
  async detach(now: number): Promise<void> {
    await using _alone = await this.#store.gate.acquire()
    if ((await this.#store.leases(now)).length > 0) return
    this.#images = await imageContent(this.#store, this.#images)
    await this.#store.images.detach(this.#images.blobs)
  }

  /** Deletes what was taken out of reach, and what was damaged. Returns what could not be deleted, and why. */
  async finish(): Promise<readonly string[]> {
    const quarantine = join(this.#store.root, 'quarantine')
    for (const directory of [this.#aside.path, quarantine]) {
      for (const name of await readdir(directory).catch(() => [])) {
        await rm(join(directory, name), { recursive: true, force: true }).catch((error: Error) => {
          this.#problems.push(error.message)
        })
      }
    }
    await rm(quarantine, { recursive: true, force: true }).catch(() => undefined)
    return [...this.#problems, ...((await this.#snapshots?.purge()) ?? [])]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#aside[Symbol.asyncDispose]()
    } catch {
      // It is one of the problems already, and the next one to open the store tries again.
    }
  }

  #isUsed({ kind, item }: Removal, leased: ReadonlySet<string>): boolean {
    return (kind === 'blob' || kind === 'snapshot') && (leased.has(item.id) || this.#images.blobs.has(item.id))
  }

  async #takeAway(removal: Removal): Promise<boolean> {
    const { id } = removal.item
    switch (removal.kind) {
      case 'record':
        await this.#store.records.remove(removal.record.kind, removal.record.key)
        return true
      case 'snapshot':
        await this.#snapshots?.remove(id)
        return this.#snapshots !== undefined
      case 'mount':
        return (await this.#snapshots?.mounts?.remove(id)) ?? false
      case 'context':
        return await movedAway(join(this.#store.root, CONTEXTS, id), join(this.#aside.path, `context-${id}`))
      case 'blob':
        return await movedAway(this.#store.blobs.path(id), join(this.#aside.path, id.replace(':', '-')))
    }
  }
}

async function movedAway(path: string, aside: string): Promise<boolean> {
  try {
    await rename(path, aside)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}
