/** Root filesystems: kinds of snapshotters and the choice between them. */
import { join } from 'node:path'
import { BuildError } from '../errors.ts'
import { openCopySnapshotter } from './copy.ts'
import { rememberRoom, roomOf } from './kinds.ts'
import { openOverlaySnapshotter } from './overlay.ts'
import type { Snapshotter } from './snapshotter.ts'

export { openCopySnapshotter } from './copy.ts'
export { snapshotErrors } from './errors.ts'
export { EveryKind } from './every-kind.ts'
export { openOverlaySnapshotter } from './overlay.ts'
export type * from './snapshotter.ts'

/** A snapshotter, and why it is not the better one. */
export interface ChosenSnapshotter {
  readonly snapshotter: Snapshotter
  /** Why overlay mounts are not used, when `auto` fell back to copies. */
  readonly fallback?: string
}

/**
 * Opens the snapshots of a store: `<directory>/overlay` or `<directory>/copy`, with a suffix for other ids than the machine's.
 * They cannot read each other's content.
 *
 * @throws OVERLAY_UNAVAILABLE for `overlay` where it does not work
 */
export function openSnapshotter(directory: string, kind: 'auto' | 'overlay' | 'copy'): ChosenSnapshotter {
  const chosen = choose(directory, kind)
  rememberRoom(directory, roomOf(chosen.snapshotter.kind))
  return chosen
}

function choose(directory: string, kind: 'auto' | 'overlay' | 'copy'): ChosenSnapshotter {
  const copies = () => openCopySnapshotter(join(directory, roomOf('copy')))
  if (kind === 'copy') return { snapshotter: copies() }
  try {
    return { snapshotter: openOverlaySnapshotter(join(directory, roomOf('overlay'))) }
  } catch (error) {
    if (kind === 'overlay' || !(error instanceof BuildError)) throw error
    return { snapshotter: copies(), fallback: error.message }
  }
}
