/** Layers: what a snapshot changed as a tar archive, written, read and applied. */
export { type ArchiveEntry, decompressAny, isArchive, readArchive } from './archive.ts'
export type { Compression } from './compress.ts'
export { type Packing, packingOf } from './decompress.ts'
export { layerErrors } from './errors.ts'
export { LAYER_TYPES, type PackedLayer, type PackOptions, packLayer } from './pack.ts'
export { type RewriteOptions, rewriteLayer } from './rewrite.ts'
export type { TarEntry, TarType } from './tar-header.ts'
export { type UnpackOptions, unpackLayer } from './unpack.ts'
