/** `compression`, `compression-level` and `force-compression`: how layers are compressed for an output or a cache. */
import type { AttributeReader } from '../util/attributes.ts'

export const COMPRESSION_ATTRIBUTES = ['compression', 'compression-level', 'force-compression'] as const

export interface CompressionChoice {
  readonly compression: 'gzip' | 'zstd' | 'none'
  readonly level: number | undefined
  /** Layers of base images are compressed like new ones. */
  readonly force: boolean
}

type Reader = AttributeReader<(typeof COMPRESSION_ATTRIBUTES)[number]>

/** Lowest and highest level of each compression. */
const LEVELS = { gzip: [0, 9], zstd: [1, 22] } as const

export function compressionOf(attrs: Reader): CompressionChoice {
  const name = attrs.text('compression') ?? 'gzip'
  const compression = name === 'uncompressed' ? 'none' : name
  if (compression !== 'gzip' && compression !== 'zstd' && compression !== 'none')
    return attrs.fail(`unsupported layer compression type: ${JSON.stringify(name)}`)
  return { compression, level: levelOf(attrs, compression), force: attrs.flag('force-compression', false) }
}

function levelOf(attrs: Reader, compression: CompressionChoice['compression']): number | undefined {
  const level = attrs.integer('compression-level')
  if (level === undefined) return undefined
  if (compression === 'none') {
    attrs.warnings.push('compression-level has no effect on uncompressed layers')
    return undefined
  }
  const [low, high] = LEVELS[compression]
  if (level < low || level > high)
    attrs.fail(`compression-level ${level} is out of range: ${compression} has ${low} to ${high}`)
  return level
}
