/**
 * Snapshots: immutable root filesystems, made of a stack of layers' content.
 *
 * Life of a snapshot: `prepare(stack)` gives an *active* snapshot with a writable `root` that shows the stack;
 * `commit(id)` makes what was written immutable under that id; disposing an active snapshot that was not committed
 * deletes it. A committed id names *one layer's* content (what was written between prepare and commit), so a stack
 * `[a, b, c]` is the root filesystem of the layers a, b, c from bottom to top. A layer that was prepared on an empty
 * stack can stand in any stack; a layer that was prepared on others belongs on top of these. Everything here runs in the
 * worker, inside its namespaces; ids are safe file names.
 *
 * File names are bytes: strings with names in them are as util/raw-path.ts makes them, and go to fs functions through
 * its `fsPath`.
 */
import type { BigIntStats } from 'node:fs'

/** Names the committed content of one layer. Letters, digits, `-`, `_` and `.`, not first `.`; at most 100 characters. */
export type SnapshotId = string

/**
 * A difference between a committed snapshot and what lies below it. Paths are relative, without leading `/` or `./`;
 * '' is the root directory itself, which is there only if its attributes were changed.
 */
export type Change =
  /**
   * Added or changed. `fsPath` is where the entry can be read with no-follow calls; its attributes are the ones to record.
   * A directory on the way to something that changed is there too.
   */
  | { readonly kind: 'upsert'; readonly path: string; readonly fsPath: string | Buffer; readonly stat: BigIntStats }
  /** The path was deleted: becomes a `.wh.` entry. */
  | { readonly kind: 'delete'; readonly path: string }

/** How a step made a layer. */
export interface Made {
  /** When it began, milliseconds since the epoch: times from then on are its own doing. */
  readonly from: number
  /** SOURCE_DATE_EPOCH, seconds: given to what has the time of its making. Other times, also of the future, stay. */
  readonly time: number | undefined
}

/** A writable root filesystem. Disposing it without commit deletes what was written; disposing after commit is a no-op. */
export interface ActiveSnapshot extends AsyncDisposable {
  /** Absolute path of the root directory, valid inside the worker until commit or dispose. */
  readonly root: string
  /**
   * Makes the content immutable as `id`. Committing an id that exists already keeps the existing one. Nothing may write
   * to the root any more.
   *
   * @param made for what a step made: its times are settled before it is seen. Unpacked layers have all times already.
   */
  commit(id: SnapshotId, made?: Made): Promise<void>
}

/** A read-only view of a stack, e.g. the source of COPY --from or of a bind mount. Disposing unmounts it. */
export interface SnapshotView extends AsyncDisposable {
  readonly root: string
}

/** A committed snapshot as `du` and `prune` see it. */
export interface SnapshotInfo {
  readonly id: SnapshotId
  /** Bytes on disk. */
  readonly size: number
  /** Milliseconds since the epoch. */
  readonly created: number
  readonly lastUsed: number
}

/** Disposing deletes what is not committed and unmounts what is mounted. */
export interface Snapshotter extends AsyncDisposable {
  readonly kind: 'overlay' | 'copy'
  /** Whether the snapshot is there, complete: one that a power failure may have damaged is removed and not there. */
  has(id: SnapshotId): Promise<boolean>
  /**
   * A writable root that shows `stack` (bottom first; empty: an empty directory, mode 0755, owner 0:0).
   *
   * @param mountPoints absolute paths of files that something will be mounted on. Where the stack has nothing at such a
   *   path, a kind that can do so shows an empty file there which is not part of what is committed; others show nothing.
   */
  prepare(stack: readonly SnapshotId[], signal?: AbortSignal, mountPoints?: readonly string[]): Promise<ActiveSnapshot>
  /** A root that shows `stack`, for reading only: what is written there is lost or damages the snapshot. */
  view(stack: readonly SnapshotId[], signal?: AbortSignal): Promise<SnapshotView>
  /**
   * Looks whether snapshots are still as they were committed; ones that are not are removed. It takes no time to speak of.
   *
   * @param ids default: all that were used until now
   * @param depth default `directories`, which shows what was deleted; `files` shows changed files, too
   * @throws SNAPSHOT_DAMAGED
   */
  verify(ids?: readonly SnapshotId[], depth?: 'directories' | 'files'): Promise<void>
  /** What committing `id` changed: parents before children, siblings by byte order, each path once. */
  changes(id: SnapshotId, signal?: AbortSignal): AsyncIterable<Change>
  /** Every committed snapshot. */
  list(): AsyncIterable<SnapshotInfo>
  /** Deletes a committed snapshot; unknown ids are ignored. */
  remove(id: SnapshotId): Promise<void>
  /** Takes a committed snapshot out of reach at once; {@link purge} deletes it. Unknown ids are ignored. */
  discard(id: SnapshotId): Promise<void>
  /** Deletes what was discarded. Returns what could not be deleted in this directory until now, and why. */
  purge(): Promise<readonly string[]>
}
