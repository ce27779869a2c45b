/** Errors of reading and writing layers. */
import { defineError } from '../errors.ts'

const tarInvalid = defineError({
  code: 'TAR_INVALID',
  doc: 'A layer or archive is not a well-formed tar archive, or has values that no file can have.',
  message: (why: string, entry?: string) =>
    `invalid tar archive: ${why}${entry === undefined ? '' : ` (entry ${JSON.stringify(entry.slice(0, 200))})`}`,
})

const tarTruncated = defineError({
  code: 'TAR_TRUNCATED',
  doc: 'A layer or archive ends in the middle of an entry.',
  message: () => 'invalid tar archive: unexpected end of data',
})

const compressionInvalid = defineError({
  code: 'COMPRESSION_INVALID',
  doc: 'The compressed data of a layer or archive is damaged, ends early, or is not what its type says.',
  message: (kind: string, why: string) => `invalid ${kind} data: ${why}`,
})

const mediaTypeUnknown = defineError({
  code: 'LAYER_TYPE_UNKNOWN',
  doc: 'A layer has a media type that is not a tar archive, plain or compressed with gzip or zstd.',
  message: (mediaType: string) => `unsupported layer media type ${JSON.stringify(mediaType.slice(0, 200))}`,
})

const diffIdMismatch = defineError({
  code: 'DIFF_ID_MISMATCH',
  doc: 'The uncompressed content of a layer has another digest than the image config says. The layer was not used.',
  message: (expected: string, actual: string) =>
    `layer content does not match its diffID: expected ${expected}, got ${actual}`,
  hint: 'The image is damaged or was tampered with.',
})

const entryUnsupported = defineError({
  code: 'TAR_ENTRY_UNSUPPORTED',
  doc: 'A layer or archive has an entry of a type that cannot be unpacked.',
  message: (entry: string, what: string) => `cannot unpack ${JSON.stringify(entry.slice(0, 200))}: ${what}`,
})

const unpackFailed = defineError({
  code: 'UNPACK_FAILED',
  doc: 'An entry of a layer could not be written.',
  message: (entry: string, why: string) => `cannot unpack ${JSON.stringify(entry.slice(0, 200))}: ${why}`,
})

const fileChanged = defineError({
  code: 'FILE_CHANGED',
  doc: 'A file changed while it was written into a layer.',
  message: (path: string) => `${JSON.stringify(path.slice(0, 200))} changed while it was read`,
})

export const layerErrors = {
  tarInvalid,
  tarTruncated,
  compressionInvalid,
  mediaTypeUnknown,
  diffIdMismatch,
  entryUnsupported,
  unpackFailed,
  fileChanged,
}
