/** The `check` options: which rules are skipped, which experimental ones are on, whether findings are errors. */
import type { BuildError } from '../errors.ts'
import type { Location } from '../source.ts'
import { lintErrors } from './errors.ts'

export interface CheckOptions {
  readonly skipAll: boolean
  readonly skip: ReadonlySet<string>
  readonly experimentalAll: boolean
  readonly experimental: ReadonlySet<string>
  /** A finding fails the build. */
  readonly error: boolean
}

/** The options of a file that sets none. */
export const defaultCheckOptions: CheckOptions = {
  skipAll: false,
  skip: new Set(),
  experimentalAll: false,
  experimental: new Set(),
  error: false,
}

const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((text) => [text, false] as const),
])

/**
 * Parses `skip=A,B;error=true;experimental=C`. A key given twice keeps its last value.
 *
 * @param source what the text is, for the error: `check options`
 * @param at where it stands, for the error
 * @throws BuildError CHECK_OPTIONS_INVALID
 */
export function parseCheckOptions(text: string, source = 'check options', at?: Location): CheckOptions {
  const fail = (problem: string): BuildError => lintErrors.checkOptions([source, problem], { at })
  const trimmed = text.trim()
  if (trimmed === '') return defaultCheckOptions
  const result = { ...defaultCheckOptions }
  for (const part of splitAtMost(trimmed, ';', 3)) {
    const at = part.indexOf('=')
    if (at < 0) throw fail(`invalid check option ${JSON.stringify(part)}`)
    const key = part.slice(0, at).trim()
    const value = part.slice(at + 1).trim()
    if (key === 'skip') {
      if (value === 'all') result.skipAll = true
      else result.skip = ruleNames(value)
    } else if (key === 'experimental') {
      if (value === 'all') result.experimentalAll = true
      else result.experimental = ruleNames(value)
    } else if (key === 'error') {
      const parsed = booleans.get(value)
      if (parsed === undefined) {
        const problem = `failed to parse check option ${JSON.stringify(part)}: ${JSON.stringify(value)} is not a boolean`
        throw fail(problem)
      }
      result.error = parsed
    } else throw fail(`invalid check option ${JSON.stringify(key)}`)
  }
  return result
}

/** The value of a directive or comment up to the first blank: what follows is a remark. */
export function directiveValue(value: string): string {
  return value.trim().split(/\s/, 1)[0]!
}

/**
 * The options in the comments above an instruction, `# check=skip=RULE // why`; undefined if there are none.
 * A comment that only looks like one is none: anyone may write `check=` in prose.
 */
export function commentOptions(comments: readonly string[]): CheckOptions | undefined {
  let found: CheckOptions | undefined
  for (const comment of comments) {
    const value = checkComment(comment)
    if (value === undefined) continue
    try {
      const options = parseCheckOptions(value)
      found = found === undefined ? options : merge(found, options)
    } catch {
      // not options but prose
    }
  }
  return found
}

/** The options text of a `check=…` comment; undefined for other comments. */
export function checkComment(comment: string): string | undefined {
  const match = /^check\s*=\s*(\S+)/i.exec(comment.trim())
  return match?.[1]
}

function merge(a: CheckOptions, b: CheckOptions): CheckOptions {
  return {
    skipAll: a.skipAll || b.skipAll,
    skip: new Set([...a.skip, ...b.skip]),
    experimentalAll: a.experimentalAll || b.experimentalAll,
    experimental: new Set([...a.experimental, ...b.experimental]),
    error: a.error || b.error,
  }
}

function ruleNames(value: string): ReadonlySet<string> {
  return new Set(value.split(',').map((name) => name.trim()))
}

/** Splits into at most `count` parts; the last one keeps further separators. */
function splitAtMost(text: string, separator: string, count: number): string[] {
  const parts = text.split(separator)
  return parts.length <= count ? parts : [...parts.slice(0, count - 1), parts.slice(count - 1).join(separator)]
}
