/** The snapshots that an operation of the worker uses or makes: they are claimed before it is called. */
import type { SnapshotId } from '../snapshot/snapshotter.ts'
import type { RunMountSpec, WorkerOperation, WorkerOperations } from './worker-api.ts'

const CLAIMS: {
  readonly [O in WorkerOperation]?: (params: WorkerOperations[O]['params']) => readonly (SnapshotId | undefined)[]
} = {
  'snapshot.has': ({ ids }) => ids,
  'layer.unpack': ({ id, below }) => [id, ...below],
  'layer.pack': ({ id }) => [id],
  'files.apply': ({ id, stack, accounts = [], ops }) => [
    id,
    ...stack,
    ...accounts,
    ...ops.flatMap(({ source }) => (source?.type === 'stack' ? source.stack : [])),
  ],
  'files.fingerprint': ({ stack }) => stack,
  run: ({ id, keep, stack, mounts }) => [id, keep, ...stack, ...mounts.flatMap(stackOf)],
  'rootfs.tar': ({ parts }) => parts.flatMap(({ stack }) => stack),
  'rootfs.copy': ({ parts }) => parts.flatMap(({ stack }) => stack),
}

function stackOf(mount: RunMountSpec): readonly SnapshotId[] {
  if (mount.type === 'bind') return mount.stack
  return mount.type === 'cache' ? (mount.seed ?? []) : []
}

export function snapshotsOf<O extends WorkerOperation>(
  operation: O,
  params: WorkerOperations[O]['params'],
): SnapshotId[] {
  return CLAIMS[operation]?.(params).filter((id) => id !== undefined) ?? []
}
