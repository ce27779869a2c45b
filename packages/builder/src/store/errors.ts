/** Errors of the store. */
import { defineError } from '../errors.ts'

const digestInvalid = defineError({
  code: 'STORE_DIGEST_INVALID',
  doc: 'A text that should be a digest is not one: sha256, sha384 or sha512, a colon and lowercase hex digits.',
  message: (digest: string) => `invalid digest ${JSON.stringify(digest.slice(0, 160))}`,
})

const blobMissing = defineError({
  code: 'BLOB_MISSING',
  doc: 'A blob is not in the content store: it was pruned, or never fetched.',
  message: (digest: string) => `blob ${digest} not found in the content store`,
})

const blobCorrupt = defineError({
  code: 'BLOB_CORRUPT',
  doc: 'A blob on disk no longer matches its digest. It was moved to the quarantine directory, so the next build fetches or makes it again.',
  message: (digest: string) => `blob ${digest} is damaged on disk`,
  hint: 'The damaged copy was put aside; run the build again to fetch or make it anew.',
})

const blobMismatch = defineError({
  code: 'BLOB_MISMATCH',
  doc: 'Content that was to be stored under a digest has another digest or size. Nothing was stored.',
  message: (expected: string, actual: string) =>
    `content does not match its descriptor: expected ${expected}, got ${actual}`,
})

const blobTooLarge = defineError({
  code: 'BLOB_TOO_LARGE',
  doc: 'A document that is read into memory (a manifest or config) is larger than the limit.',
  message: (digest: string, size: number, limit: number) =>
    `blob ${digest} has ${size} bytes, more than the limit of ${limit}`,
})

const storeFormat = defineError({
  code: 'STORE_FORMAT',
  doc: 'The directory given as the root of the store holds something else, or was written by a newer version.',
  message: (root: string, why: string) => `cannot use ${root} as the store: ${why}`,
  hint: 'Choose another directory with --root.',
})

const storeOwner = defineError({
  code: 'STORE_OWNER',
  doc: 'The store was made by another user, also by root when that is not who uses it now. What one user leaves in it the other cannot delete, so it is not touched.',
  message: (root: string, owner: string, user: string) => `the store ${root} belongs to ${owner}, and this is ${user}`,
  hint: 'Run the command as that user, or choose a directory of your own with --root or TSBUILD_ROOT.',
})

/** What helps against a refusal of the system, beside another directory. */
function remedy(code: string | undefined): string {
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'Make room with `tsbuild prune`, or '
  if (code === 'EACCES' || code === 'EPERM') return 'Let this user write there, or '
  if (code === 'EROFS') return 'Mount the file system so that it can be written, or '
  return 'Look after the disk, or '
}

const storeUnwritable = defineError({
  code: 'STORE_UNWRITABLE',
  doc: 'The store cannot be written: the disk or a quota is full, the file system is read-only or damaged, or its permissions forbid it.',
  message: (path: string, problem: string, _code: string | undefined) => `cannot use ${path}: ${problem}`,
  hint: (_path, _problem, code) => `${remedy(code)}choose another directory with --root or TSBUILD_ROOT.`,
})

const storeDamaged = defineError({
  code: 'STORE_DAMAGED',
  doc: 'A part of the store was changed or deleted by something else. What is known to be damaged has been put aside or is not used again.',
  message: (what: string, problem: string) => `the store is damaged: ${what} ${problem}`,
})

const imageUnknown = defineError({
  code: 'IMAGE_UNKNOWN',
  doc: 'No image of that name is in the local store.',
  message: (name: string) => `no such image: ${name} is not in the local store`,
  hint: '`tsbuild images` lists what is there; `tsbuild pull` fetches from a registry.',
})

const nameMismatch = defineError({
  code: 'IMAGE_NAME_MISMATCH',
  doc: 'A name with a digest was to be given to another image than that of the digest, or is used for a name that another image has in the local store.',
  message: (name: string, digest: string) => `${name} cannot be the name of ${digest}: it has another digest`,
})

export const storeErrors = {
  digestInvalid,
  blobMissing,
  blobCorrupt,
  blobMismatch,
  blobTooLarge,
  storeFormat,
  storeOwner,
  storeUnwritable,
  storeDamaged,
  imageUnknown,
  nameMismatch,
}
