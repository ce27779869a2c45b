/** Errors of the snapshotters. */
import { defineError } from '../errors.ts'

const snapshotId = defineError({
  code: 'SNAPSHOT_ID',
  doc: 'A snapshot id has characters that are not safe in a file name.',
  message: (id: string) => `invalid snapshot id ${JSON.stringify(id.slice(0, 120))}`,
})

const snapshotMissing = defineError({
  code: 'SNAPSHOT_MISSING',
  doc: 'The content of a layer is not there: it was pruned while it was needed.',
  message: (id: string) => `snapshot ${id} not found`,
})

const snapshotDamaged = defineError({
  code: 'SNAPSHOT_DAMAGED',
  doc: 'Something else has changed or deleted files of a layer that is kept for builds. What was made of it is not used; the layer is made again by the next build.',
  message: (id: string) => `files of snapshot ${id} were changed or deleted by something else`,
  hint: 'build again; do not delete or change files of the store while a build runs',
})

const tooManyLayers = defineError({
  code: 'TOO_MANY_LAYERS',
  doc: 'The kernel stacks at most 500 layers in one overlay mount.',
  message: (count: number) => `${count} layers are more than an overlay mount can stack (500)`,
  hint: 'Use the copy snapshotter, or join some instructions.',
})

const overlayUnavailable = defineError({
  code: 'OVERLAY_UNAVAILABLE',
  doc: 'Overlay mounts were asked for but do not work here.',
  message: (why: string) => `overlay mounts do not work here: ${why}`,
  hint: 'Use the copy snapshotter, or keep the store on a local file system such as ext4, xfs or btrfs.',
})

const reservedName = defineError({
  code: 'RESERVED_NAME',
  doc: 'A file has a name that begins with `.wh.`, which says in layers that a file was deleted: no image can hold it.',
  message: (path: string) =>
    `${JSON.stringify(path.slice(0, 200))} cannot be stored: names that begin with .wh. mark deleted files in image layers`,
  hint: 'Delete or rename the file in the same RUN instruction.',
})

const pathTooLong = defineError({
  code: 'PATH_TOO_LONG',
  doc: 'A RUN nested directories so deep that the system takes no path to what is in them.',
  message: (start: string) => `the path of a file that the RUN made is too long (more than 4095 bytes): ${start}…`,
  hint: 'Delete what lies so deep in the same RUN instruction, or shorten the names.',
})

export const snapshotErrors = {
  pathTooLong,
  reservedName,
  snapshotId,
  snapshotMissing,
  snapshotDamaged,
  tooManyLayers,
  overlayUnavailable,
}
