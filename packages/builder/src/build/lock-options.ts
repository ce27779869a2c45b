/** The options and the result of the call that writes the lock file. */
import type { LockEntry } from '../lockfile/index.ts'
import type { DockerfileOptions, Place } from '../options.ts'

/** Options of {@link lock}: those of the build whose sources are to be locked, where they say which sources it has. */
export interface LockOptions<P extends Place = string> extends Omit<DockerfileOptions<P>, 'target' | 'pull' | 'lock'> {
  /** The lock file; default the one beside the Dockerfile: `tsbuild.lock`, or `NAME.lock` for a Dockerfile of another name. */
  readonly lock?: P
  /** Look up again what is locked already: all of it, or what has these names. */
  readonly update?: boolean | readonly string[]
  /** Write nothing, only tell what would change. */
  readonly dryRun?: boolean
}

/** What {@link lock} returns. */
export interface LockResult {
  /** Of the lock file. */
  readonly path: string
  /** All that is locked now, in the order of the file. */
  readonly entries: readonly LockEntry[]
  readonly added: readonly LockEntry[]
  readonly renewed: readonly { readonly before: LockEntry; readonly after: LockEntry }[]
  /** What the Dockerfile does not use any more. */
  readonly removed: readonly LockEntry[]
}
