/**
 * What earlier builds made: step records by key, layer blobs by snapshot.
 *
 * A step record names the snapshot that a step gave. It counts only while the snapshot's content can be had: as a blob
 * in the store or as a directory. Deleting anything of it costs time, never correctness.
 */

import type { Layer } from '../graph/layer.ts'
import type { SnapshotId } from '../snapshot/snapshotter.ts'
import type { ContentStore } from '../store/content-store.ts'
import type { Records } from '../store/records.ts'
import type { StackLayer } from './layer-stack.ts'

/** What is remembered of a step that ran. Times are milliseconds. */
export interface StepRecord {
  readonly snapshot: SnapshotId
  /** See {@link StackLayer.made}. */
  readonly made: StackLayer['made']
  readonly started: number
  readonly created: number
}

export class StepCache {
  readonly #records: Records
  readonly #blobs: ContentStore
  readonly #hasSnapshot: (id: SnapshotId) => Promise<boolean>
  readonly #verify: () => Promise<void>

  /**
   * @param verify rejects when something that was used until now is not as it was made: what was made of it is not
   *   remembered then
   */
  constructor(
    records: Records,
    blobs: ContentStore,
    hasSnapshot: (id: SnapshotId) => Promise<boolean>,
    verify: () => Promise<void>,
  ) {
    this.#records = records
    this.#blobs = blobs
    this.#hasSnapshot = hasSnapshot
    this.#verify = verify
  }

  /** The record of a key, with the layer's blob where there is one; undefined if its content is gone. */
  async lookup(key: string): Promise<{ record: StepRecord; blob: Layer | undefined } | undefined> {
    const record = await this.#records.get<StepRecord>('step', key)
    if (record === undefined) return undefined
    const blob = await this.blob(record.snapshot)
    if (blob === undefined && !(await this.#hasSnapshot(record.snapshot))) return undefined
    return { record, blob }
  }

  async save(key: string, record: StepRecord): Promise<void> {
    await this.#verify()
    await this.#records.put('step', key, record, { snapshots: [record.snapshot] })
  }

  /** The stored blob of a snapshot's layer. */
  async blob(snapshot: SnapshotId): Promise<Layer | undefined> {
    const blob = await this.#records.get<Layer>('layer', snapshot)
    // One that was cut short is none.
    return blob && (await this.#blobs.size(blob.descriptor.digest)) === blob.descriptor.size ? blob : undefined
  }

  async saveBlob(snapshot: SnapshotId, blob: Layer): Promise<void> {
    await this.#verify()
    await this.#records.put('layer', snapshot, blob, { blobs: [blob.descriptor.digest] })
  }

  /** Content digest of a part of a root filesystem, computed once. */
  async fingerprint(key: string, compute: () => Promise<string>): Promise<string> {
    const known = await this.#records.get<{ digest: string }>('fingerprint', key)
    if (known) return known.digest
    const digest = await compute()
    await this.#verify()
    await this.#records.put('fingerprint', key, { digest })
    return digest
  }
}
