/**
 * Snapshots: immutable root filesystems, made of a stack of layers' content.
 *
 * Life of a snapshot: `prepare(stack)` gives an *active* snapshot with a writable `root` that shows the stack;
 * `commit(id)` makes what was written immutable under that id; disposing an active snapshot that was not committed
 * deletes it. A committed id names *one layer's* content (what was written between prepare and commit), so a stack
 * `[a, b, c]` is the root filesystem of the layers a, b, c from bottom to top, and the same layer can stand in many
 * stacks. Everything here runs in the worker, inside its namespaces; ids are safe file names.
 */

/** Names the committed content of one layer. Letters, digits, `-`, `_` and `.`; at most 100 characters. */
export type SnapshotId = string

/** A difference between a committed snapshot and what lies below it. Paths are relative, without leading `/` or `./`. */
export type Change =
  /** `fsPath` is where the entry can be read with no-follow calls; its attributes are the ones to record. */
  | { readonly kind: 'upsert'; readonly path: string; readonly fsPath: string; readonly stat: import('node:fs').BigIntStats }
  /** The path was deleted: becomes a `.wh.` entry. */
  | { readonly kind: 'delete'; readonly path: string }
  /** A directory that hides what lies below it: upsert of the directory plus a `.wh..wh..opq` entry. */
  | { readonly kind: 'opaque'; readonly path: string }

/** A writable root filesystem. Disposing it without commit deletes what was written; disposing after commit is a no-op. */
export interface ActiveSnapshot extends AsyncDisposable {
  /** Absolute path of the root directory, valid inside the worker until commit or dispose. */
  readonly root: string
  /** Makes the content immutable and durable as `id`. Committing an id that exists already keeps the existing one. */
  commit(id: SnapshotId): Promise<void>
}

/** A read-only view of a stack, e.g. the source of COPY --from or of a bind mount. Disposing unmounts it. */
export interface SnapshotView extends AsyncDisposable {
  readonly root: string
}

export interface Snapshotter {
  readonly kind: 'overlay' | 'copy'
  has(id: SnapshotId): Promise<boolean>
  /** A writable root that shows `stack` (bottom first; empty: an empty directory, mode 0755, owner 0:0). */
  prepare(stack: readonly SnapshotId[], signal?: AbortSignal): Promise<ActiveSnapshot>
  /** A read-only root that shows `stack`. */
  view(stack: readonly SnapshotId[], signal?: AbortSignal): Promise<SnapshotView>
  /**
   * What committing `id` changed, sorted by path (parents before children, siblings by byte order); deletes of a
   * directory come before what was put in its place.
   */
  changes(id: SnapshotId, signal?: AbortSignal): AsyncIterable<Change>
  /** Deletes a committed snapshot; unknown ids are ignored. */
  remove(id: SnapshotId): Promise<void>
}
