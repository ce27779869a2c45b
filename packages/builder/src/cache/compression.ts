/** How layers of a cache are compressed, where it is not as usual: an annotation of their descriptors. */
import type { Layer } from '../graph/layer.ts'

/** The usual one is gzip with its usual level. */
export interface Compression {
  readonly compression: 'gzip' | 'zstd' | 'none'
  /** undefined: the usual one. */
  readonly level: number | undefined
}

const ANNOTATION = 'dev.tsbuild.compression'
const VALUE = /^(gzip|zstd|none)(?: (\d{1,2}))?$/

export function withCompression({ descriptor, diffID }: Layer, { compression, level }: Compression): Layer {
  if (compression === 'gzip' && level === undefined) return { descriptor, diffID }
  const value = level === undefined ? compression : `${compression} ${level}`
  return { descriptor: { ...descriptor, annotations: { [ANNOTATION]: value } }, diffID }
}

/** A layer as it was before {@link withCompression}. Annotations of others are dropped: images would have them. */
export function splitCompression({ descriptor, diffID }: Layer): {
  readonly layer: Layer
  readonly compression: Compression | undefined
} {
  const { mediaType, digest, size, annotations } = descriptor
  const layer: Layer = { descriptor: { mediaType, digest, size }, diffID }
  const match = VALUE.exec(annotations?.[ANNOTATION] ?? '')
  if (match === null) return { layer, compression: undefined }
  const level = match[2] === undefined ? undefined : Number(match[2])
  return { layer, compression: { compression: match[1] as Compression['compression'], level } }
}
