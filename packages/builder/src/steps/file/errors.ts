/** Errors of COPY, ADD and WORKDIR. Words follow the reference where it has them. */
import { defineError } from '../../errors.ts'

export const fileErrors = {
  sourceNotFound: defineError({
    code: 'COPY_SOURCE_NOT_FOUND',
    doc: 'A source of COPY or ADD that is named without wildcards does not exist in the build context, stage or image, or .dockerignore excludes it.',
    message: (path: string, _hint?: string) => `${JSON.stringify(path)}: not found`,
    hint: (_path, hint) =>
      hint ?? 'sources are relative to the root of the build context (or of the stage named by --from)',
  }),
  wildcardParentNotFound: defineError({
    code: 'COPY_WILDCARD_PARENT_NOT_FOUND',
    doc: 'The directory in which a wildcard of COPY or ADD was to be searched does not exist. (A wildcard that matches nothing is no error.)',
    message: (path: string, _hint?: string) => `lstat ${path}: no such file or directory`,
    hint: (_path, hint) => hint,
  }),
  badPattern: defineError({
    code: 'COPY_BAD_PATTERN',
    doc: 'A source pattern, or a pattern of --exclude or --parents, is malformed: an unclosed bracket or a backslash at its end.',
    message: (pattern: string, reason: string) => `invalid pattern ${JSON.stringify(pattern)}: ${reason}`,
    hint: 'put a backslash before a bracket that is meant literally',
  }),
  notDirectory: defineError({
    code: 'COPY_NOT_DIRECTORY',
    doc: 'A directory cannot be copied onto something that is not a directory.',
    message: (path: string) => `cannot copy to non-directory: ${path}`,
    hint: 'copy to another path, or remove what is there with RUN first',
  }),
  replaceDirectory: defineError({
    code: 'COPY_REPLACES_DIRECTORY',
    doc: 'A file or link cannot take the place of a directory.',
    message: (path: string) => `cannot replace to directory ${path} with file`,
    hint: 'copy to another path, or remove the directory with RUN first',
  }),
  whiteoutName: defineError({
    code: 'COPY_WHITEOUT_NAME',
    doc: 'Names that begin with `.wh.` mean deletions in image layers, so a file of such a name cannot be part of an image.',
    message: (path: string) => `${path}: names that begin with .wh. cannot be stored in an image layer`,
    hint: 'rename or exclude the file',
  }),
  whiteoutDevice: defineError({
    code: 'COPY_WHITEOUT_DEVICE',
    doc: 'The character device 0:0 means a deletion in root filesystems, so it cannot be copied.',
    message: (path: string) => `${path}: the character device 0:0 cannot be stored in an image layer`,
    hint: 'exclude the file',
  }),
  idRange: defineError({
    code: 'CHOWN_ID_RANGE',
    doc: 'Numeric users and groups of --chown go from 0 to 4294967294.',
    message: (id: string) => `invalid user or group id ${id}: it should be between 0 and 4294967294`,
  }),
  accountsUnreadable: defineError({
    code: 'CHOWN_ACCOUNTS_UNREADABLE',
    doc: 'The /etc/passwd or /etc/group of the image is no regular file or too large, so names of --chown cannot be looked up.',
    message: (path: string, reason: string) => `cannot look up names in ${path} of the image: ${reason}`,
    hint: 'give numeric ids',
  }),
  unmappedOwner: defineError({
    code: 'OWNER_NOT_MAPPED',
    doc: 'The user namespace of the build does not have the user or group id that a file is to belong to.',
    message: (path: string, uid: number, gid: number) =>
      `cannot give ${path} to ${uid}:${gid}: the ids are not mapped in this user namespace`,
    hint: 'add a range of subordinate ids for your user in /etc/subuid and /etc/subgid',
  }),
  archive: defineError({
    code: 'ADD_ARCHIVE_INVALID',
    doc: 'An archive that ADD unpacks is damaged, or holds an entry that cannot be unpacked safely.',
    message: (archive: string, reason: string) => `cannot unpack ${archive}: ${reason}`,
    hint: 'add it as a file with --unpack=false or COPY',
  }),
  io: defineError({
    code: 'COPY_FAILED',
    doc: 'The operating system refused an operation on the root filesystem: no space left, name too long, not permitted …',
    message: (reason: string) => reason,
    hint: (reason) =>
      reason.endsWith('no space left on device') ? 'free some space, for instance with tsbuild prune' : undefined,
  }),
} as const
