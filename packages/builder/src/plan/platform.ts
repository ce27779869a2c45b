import { parsePlatform, type Platform } from '@tsbuild/registry-client'
import { suggest } from '../dockerfile/suggest.ts'
import type { Location } from '../source.ts'
import { planErrors } from './errors.ts'

/** Parses the expanded value of `FROM --platform=expression`. */
export function parsePlatformValue(
  expression: string,
  value: string,
  known: readonly string[],
  used: readonly string[],
  at: Location,
): Platform {
  const unset = used.find((name) => !known.includes(name))
  const similar = unset === undefined ? undefined : suggest(unset, known)
  if (value === '') throw planErrors.emptyPlatform([expression, similar], { at })
  try {
    return parsePlatform(value)
  } catch (error) {
    throw planErrors.badPlatform([expression, error instanceof Error ? error.message : String(error), similar], { at, cause: error })
  }
}
