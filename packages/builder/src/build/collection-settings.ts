/**
 * `$TSBUILD_GC`, how automatic collection is configured: `off`, or `max-used-space=50GB,min-free-space=20%,interval=6h`.
 */
import { parseDuration } from '../instructions/duration.ts'
import type { CollectionSettings, Space } from '../store/index.ts'
import { parseBytes } from '../util/bytes.ts'
import { optionErrors } from './option-types.ts'

/** {@link CollectionSettings} with the time from one collection to the next, milliseconds; undefined: there are none. */
export interface ConfiguredCollection extends CollectionSettings {
  readonly interval: number | undefined
}

const HOUR = 3_600_000
const KEYS = {
  'max-used-space': 'maxUsedSpace',
  'min-free-space': 'minFreeSpace',
  'reserved-space': 'reservedSpace',
} as const

/** @throws BuildError OPTION_INVALID */
export function parseCollection(env: Readonly<Record<string, string | undefined>>): ConfiguredCollection {
  const text = env.TSBUILD_GC?.trim() ?? ''
  if (text === 'off') return { interval: undefined }
  let interval = HOUR
  const spaces: { -readonly [K in keyof CollectionSettings]: Space } = {}
  for (const part of text === '' ? [] : text.split(',')) {
    const [key = '', value = ''] = part.split('=', 2).map((word) => word.trim())
    if (key === 'interval') interval = duration(value)
    else if (Object.hasOwn(KEYS, key)) spaces[KEYS[key as keyof typeof KEYS]] = space(key, value)
    else invalid(`there is no ${JSON.stringify(key)}`)
  }
  return { ...spaces, interval }
}

/** `50GB` or `20%`. */
function space(key: string, text: string): Space {
  const percent = /^(\d{1,2}|100)%$/.exec(text)?.[1]
  if (percent !== undefined) return { percent: Number(percent) }
  return (
    parseBytes(text) ?? invalid(`${key} is ${JSON.stringify(text)}, which is neither a size nor a share such as 20%`)
  )
}

function duration(text: string): number {
  try {
    return Math.max(0, parseDuration(text) / 1e6)
  } catch {
    return invalid(`interval is ${JSON.stringify(text)}, which is no time such as 1h30m`)
  }
}

function invalid(problem: string): never {
  throw optionErrors.optionInvalid([`TSBUILD_GC: ${problem}`], {
    hint: 'write it as off, or as max-used-space=50GB,min-free-space=20%,reserved-space=10GB,interval=1h',
  })
}
