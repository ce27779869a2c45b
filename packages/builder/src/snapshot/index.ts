/** Root filesystems: kinds of snapshotters and the choice between them. */
import { BuildError } from '../errors.ts'
import { CommittedSnapshots } from './committed.ts'
import { openCopySnapshotter } from './copy.ts'
import { openOverlaySnapshotter } from './overlay.ts'
import type { SnapshotInfo, Snapshotter } from './snapshotter.ts'

export { openCopySnapshotter } from './copy.ts'
export { snapshotErrors } from './errors.ts'
export { openOverlaySnapshotter } from './overlay.ts'
export type * from './snapshotter.ts'

/** A snapshotter, and why it is not the better one. */
export interface ChosenSnapshotter {
  readonly snapshotter: Snapshotter
  /** Why overlay mounts are not used, when `auto` fell back to copies. */
  readonly fallback?: string
}

/**
 * Opens the snapshots of a store: `<directory>/overlay` or `<directory>/copy`, which cannot read each other's content.
 *
 * @throws OVERLAY_UNAVAILABLE for `overlay` where it does not work
 */
export function openSnapshotter(directory: string, kind: 'auto' | 'overlay' | 'copy'): ChosenSnapshotter {
  if (kind === 'copy') return { snapshotter: openCopySnapshotter(`${directory}/copy`) }
  try {
    return { snapshotter: openOverlaySnapshotter(`${directory}/overlay`) }
  } catch (error) {
    if (kind === 'overlay' || !(error instanceof BuildError)) throw error
    return { snapshotter: openCopySnapshotter(`${directory}/copy`), fallback: error.message }
  }
}

/** Every committed snapshot of both kinds. Nothing is made or changed, so the store may be on a read-only file system. */
export async function* listSnapshots(directory: string): AsyncGenerator<SnapshotInfo> {
  for (const kind of ['overlay', 'copy']) yield* new CommittedSnapshots(`${directory}/${kind}`, 'read').list()
}
