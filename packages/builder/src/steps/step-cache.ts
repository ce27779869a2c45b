/**
 * What earlier builds made: step records by key, layer blobs by snapshot; and what shared caches know beside.
 *
 * A step record names the snapshot that a step gave. It counts only while the snapshot's content can be had: as a blob
 * in the store or as a directory, or from a shared cache. What is here always comes first. Deleting anything of it costs
 * time, never correctness.
 */

import { type SnapshotNaming, snapshotName } from '../graph/key.ts'
import type { Layer, LayerSource } from '../graph/layer.ts'
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

/** A result that a shared cache knows. */
export interface SharedResult extends SnapshotNaming, Pick<StackLayer, 'compression'> {
  readonly started: number
  readonly created: number
  /** undefined: the cache does not have its content. */
  readonly layer: Layer | undefined
  readonly source: LayerSource
}

/** What a shared cache says of files that are a part of a root filesystem. */
export interface SharedFingerprint {
  readonly digest: string
  readonly source: LayerSource
}

/** What shared caches know. Waits until it is known what they hold. */
export interface SharedResults {
  /** All that is usable, in the order of preference. */
  results(key: string): Promise<readonly SharedResult[]>
  /** What each cache says of the same files. */
  fingerprints(key: string): Promise<readonly SharedFingerprint[]>
  /** A cache has said something of files that is not so. */
  distrustFingerprints(source: LayerSource): void
  /** Told of each result that is used. */
  used(snapshot: SnapshotId): void
  /** The result is not usable. */
  distrust(snapshot: SnapshotId): void
}

/** A layer that need not be made. */
export type FoundLayer = Omit<StackLayer, 'alone'>

export class StepCache {
  readonly #records: Records
  readonly #blobs: ContentStore
  readonly #hasSnapshot: (id: SnapshotId) => Promise<boolean>
  readonly #verify: () => Promise<void>
  readonly #shared: SharedResults | undefined
  /** Fingerprints that keys of this build are made of. */
  readonly fingerprints = new Map<string, string>()

  /**
   * @param verify rejects when something that was used until now is not as it was made: what was made of it is not
   *   remembered then
   */
  constructor(
    records: Records,
    blobs: ContentStore,
    hasSnapshot: (id: SnapshotId) => Promise<boolean>,
    verify: () => Promise<void>,
    shared?: SharedResults,
  ) {
    this.#records = records
    this.#blobs = blobs
    this.#hasSnapshot = hasSnapshot
    this.#verify = verify
    this.#shared = shared
  }

  /** The layer of a key; undefined if there is none, or its content is gone. @param needed its content has to be there */
  async lookup(key: string, needed: boolean): Promise<FoundLayer | undefined> {
    return (await this.#own(key)) ?? (await this.#lookupShared(key, needed))
  }

  async #own(key: string): Promise<FoundLayer | undefined> {
    const record = await this.#records.get<StepRecord>('step', key)
    const known = record && (await this.#content(record.snapshot))
    return known && { ...record, ...known, source: undefined }
  }

  /** undefined when nothing of a snapshot is here. */
  async #content(snapshot: SnapshotId): Promise<Pick<StackLayer, 'known'> | undefined> {
    const known = await this.blob(snapshot)
    return known || (await this.#hasSnapshot(snapshot)) ? { known } : undefined
  }

  async #lookupShared(key: string, needed: boolean): Promise<FoundLayer | undefined> {
    for (const result of (await this.#shared?.results(key)) ?? []) {
      const { kind, nonce, started, created, layer, source, compression } = result
      const snapshot = snapshotName({ kind, key, nonce })
      const record: StepRecord = { snapshot, made: { key, nonce }, started, created }
      const here = await this.#content(snapshot)
      if (here === undefined && layer === undefined && needed) continue
      this.#shared!.used(snapshot)
      if (here === undefined) return { ...record, known: layer, source, compression }
      await this.save(key, record)
      return { ...record, ...here, source: undefined }
    }
    return undefined
  }

  async save(key: string, record: StepRecord): Promise<void> {
    await this.#verify()
    await this.#records.put('step', key, record, { snapshots: [record.snapshot] })
  }

  /** Remembers a layer of a shared cache whose blob is in the store now, unless there is another one of its key. */
  async adopt({ snapshot, made, started, created, known, compression }: StackLayer): Promise<void> {
    if (made === undefined || started === undefined || created === undefined || !known || compression) return
    if ((await this.blob(snapshot)) === undefined) await this.saveBlob(snapshot, known)
    if ((await this.#own(made.key)) === undefined) await this.save(made.key, { snapshot, made, started, created })
  }

  /** A layer of a shared cache is not what it should be. */
  distrust(snapshot: SnapshotId): void {
    this.#shared?.distrust(snapshot)
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

  /** Content digest of a part of a root filesystem, computed once, on this machine. */
  async fingerprint(key: string, compute: () => Promise<string>): Promise<string> {
    const known = await this.knownFingerprint(key)
    if (known !== undefined) return known
    const digest = await compute()
    await this.#verify()
    await this.#records.put('fingerprint', key, { digest })
    this.fingerprints.set(key, digest)
    return digest
  }

  async knownFingerprint(key: string): Promise<string | undefined> {
    const known = await this.#records.get<{ digest: string }>('fingerprint', key)
    if (known) this.fingerprints.set(key, known.digest)
    return known?.digest
  }

  async sharedFingerprints(key: string): Promise<readonly SharedFingerprint[]> {
    return (await this.#shared?.fingerprints(key)) ?? []
  }

  /** Whether a shared cache has a usable result of a key. */
  async isSharedBy(source: LayerSource, key: string): Promise<boolean> {
    return ((await this.#shared?.results(key)) ?? []).some((result) => result.source === source)
  }

  distrustFingerprints(source: LayerSource): void {
    this.#shared?.distrustFingerprints(source)
  }
}
