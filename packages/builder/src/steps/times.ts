/** SOURCE_DATE_EPOCH in a new layer: what has the time of its making gets the given one, so that every run gives the same. */
import { lstatSync, lutimesSync } from 'node:fs'
import type { SnapshotId, Snapshotter } from '../snapshot/snapshotter.ts'

/** The clock of file systems lags behind that of programs by a tick of the kernel (ms). */
const TICK = 20

export interface TimeRule {
  /** When the step began and ended, milliseconds since the epoch: times between them are its own doing. */
  readonly from: number
  readonly to: number
  /** Seconds. */
  readonly time: number
}

/**
 * Sets the modification times of what a step has just committed. Times that the step brought along, such as those of
 * unpacked archives, stay; so do times in the future.
 */
export async function settleTimes(
  snapshotter: Snapshotter,
  id: SnapshotId,
  { from, to, time }: TimeRule,
  signal: AbortSignal,
): Promise<void> {
  for await (const change of snapshotter.changes(id, signal)) {
    if (change.kind !== 'upsert') continue
    const { mtimeMs, atimeMs } = lstatSync(change.fsPath)
    if (mtimeMs >= from - TICK && mtimeMs <= to + TICK) lutimesSync(change.fsPath, atimeMs / 1000, time)
  }
}
