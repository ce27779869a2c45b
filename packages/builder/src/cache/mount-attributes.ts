/** What `--cache-to` says of cache mounts: `mounts`, `mounts-id`, `mounts-max-size`. */
import type { AttributeReader } from '../util/attributes.ts'
import { parseBytes } from '../util/bytes.ts'

export const MOUNT_ATTRIBUTES = ['mounts-id', 'mounts-max-size'] as const

const DEFAULT_MAX_SIZE = 2 * 1024 ** 3

/** Which cache mounts are written. */
export interface MountChoice {
  /** undefined: all that the build has used. */
  readonly ids: ReadonlySet<string> | undefined
  /** Bytes that all of them may have together, before they are compressed. */
  readonly maxSize: number
}

/** undefined: none. @throws the reader's error */
export function mountChoice(
  attrs: AttributeReader<'mounts' | (typeof MOUNT_ATTRIBUTES)[number]>,
): MountChoice | undefined {
  const size = attrs.text('mounts-max-size')
  const maxSize = size === undefined ? DEFAULT_MAX_SIZE : parseBytes(size)
  if (maxSize === undefined)
    return attrs.fail(`invalid mounts-max-size ${JSON.stringify(size)}`, 'write it as 500MB or 10GB')
  const names = attrs.text('mounts-id')
  const ids = names?.split(';').filter((id) => id !== '')
  if (ids?.length === 0) return attrs.fail('mounts-id names no cache mount', 'write it as mounts-id=npm;/root/.cache')
  if (!attrs.flag('mounts', false)) {
    if (names !== undefined || size !== undefined)
      attrs.warnings.push('--cache-to: mounts-id and mounts-max-size have no effect without mounts=true')
    return undefined
  }
  return { ids: ids && new Set(ids), maxSize }
}
