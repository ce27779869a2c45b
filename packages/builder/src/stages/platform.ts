import { type Platform, parsePlatform } from '@tsbuild/registry-client'
import type { Expansion } from '../dockerfile/expand.ts'
import type { Location } from '../source.ts'
import { suggest } from '../util/suggest.ts'
import { stageErrors } from './errors.ts'

/** Parses the expanded value of `FROM --platform=expression`. */
export function parsePlatformValue(
  expression: string,
  { value, unset: [unset] }: Expansion,
  known: readonly string[],
  at: Location,
): Platform {
  const similar = unset === undefined ? undefined : suggest(unset, known)
  if (value === '') throw stageErrors.emptyPlatform([expression, similar], { at })
  try {
    return parsePlatform(value)
  } catch (error) {
    throw stageErrors.badPlatform([expression, problemOf(value, error), similar], { at, cause: error })
  }
}

/** What is wrong with a platform, in the reference's words. */
function problemOf(value: string, error: unknown): string {
  const part = value.split('/').find((p) => !/^[A-Za-z0-9_.-]+$/.test(p))
  if (part !== undefined && !value.includes('('))
    return `${JSON.stringify(part)} is an invalid component of ${JSON.stringify(value)}: platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument`
  return error instanceof Error ? error.message : String(error)
}
