/** What there is in a store, as `du` shows it and `prune` chooses from it. */

/** A blob (id: digest), snapshot or other entry. Times are milliseconds since the epoch, sizes bytes on disk. */
export interface StoredThing {
  readonly id: string
  readonly size: number
  readonly created: number
  readonly lastUsed: number
}

/**
 * Types of entries, as BuildKit calls them. Nothing has the types `frontend`, since frontends are not images here, and
 * `source.git.checkout`, since checkouts end with their build.
 */
export type UsageType = 'regular' | 'internal' | 'frontend' | 'source.local' | 'source.git.checkout' | 'exec.cachemount'

/** A line of `du`. */
export interface UsageItem extends StoredThing {
  /** `mount`: the files of a `RUN --mount=type=cache`; `context`: what is remembered of the files of a context. */
  readonly kind: 'blob' | 'snapshot' | 'record' | 'mount' | 'context'
  readonly type: UsageType
  /** What it is of, where that is known. */
  readonly description?: string
  /** Whether prune with `all` would delete it now. */
  readonly reclaimable: boolean
  /** Whether its content changes. */
  readonly mutable: boolean
  /** Whether an image with a name consists of it: such a blob stays, and records of it go with `all` only. */
  readonly shared: boolean
  /** Records that need it. */
  readonly users: number
}
