/** How layers of a cache are compressed, as a text of their records. */

/** Usual is gzip with its usual level. */
export interface Compression {
  readonly compression: 'gzip' | 'zstd' | 'none'
  /** undefined: the usual one. */
  readonly level: number | undefined
}

/** What {@link formatCompression} gives. */
export const COMPRESSION_TEXT = /^(gzip|zstd|none)(?: (\d{1,2}))?$/

/** `zstd`, `gzip 9`; undefined for what is usual. */
export function formatCompression({ compression, level }: Compression): string | undefined {
  if (level !== undefined) return `${compression} ${level}`
  return compression === 'gzip' ? undefined : compression
}

export function parseCompression(text: string | undefined): Compression | undefined {
  const [, compression, level] = COMPRESSION_TEXT.exec(text ?? '') ?? []
  if (compression === undefined) return undefined
  return { compression: compression as Compression['compression'], level: level === undefined ? level : Number(level) }
}
