/**
 * Variables and quotes in the arguments of instructions: the reference's small shell lexer.
 *
 * Forms: `$v ${v} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?w} ${v?w} ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/r} ${v//p/r}`,
 * nested in each other; single and double quotes; the escape character. The work is linear in the text and the
 * values that go into it; nesting and growth are bounded.
 */
import type { BuildError } from '../errors.ts'
import { type ExpandOptions, Lexer, Problem, type Variables } from './lexer.ts'
import { WordList } from './word-list.ts'
import type { Escape } from './words.ts'

export type { ExpandOptions, Variables } from './lexer.ts'

/** What came of a text. */
export interface Expansion {
  readonly value: string
  /** The value split at blanks outside quotes; blanks that came out of variables split as well. */
  readonly words: readonly string[]
  /** Names that had a value. */
  readonly used: ReadonlySet<string>
  /** Names that had none. */
  readonly unset: ReadonlySet<string>
}

/** A word as most instructions use it: variables replaced, quotes and escapes gone. */
export function expandWord(text: string, variables: Variables, escapeChar: Escape): Expansion {
  return expand(text, variables, { escape: escapeChar })
}

/** The content of a heredoc of COPY or ADD: quotes stay; the escape character is always the backslash. */
export function expandHeredoc(text: string, variables: Variables): Expansion {
  return expand(text, variables, { escape: '\\', ignoreQuotes: true })
}

/** A text for people: quotes and unset variables stay. */
export function expandForDisplay(text: string, variables: Variables, escapeChar: Escape): Expansion {
  return expand(text, variables, { escape: escapeChar, rawQuotes: true, keepUnset: true })
}

/**
 * Expands one text.
 *
 * @throws `DOCKERFILE_BAD_SUBSTITUTION`, `DOCKERFILE_EXPANSION_TOO_LARGE`; without a place, which the caller knows
 */
export function expand(text: string, variables: Variables, options: ExpandOptions): Expansion {
  const result = tryExpand(text, variables, options)
  if (result.error !== undefined) throw result.error
  return result
}

/** As {@link expand}; with an error, the names tell what was met before it. */
export function tryExpand(
  text: string,
  variables: Variables,
  options: ExpandOptions,
): Expansion & { readonly error: BuildError | undefined } {
  const lexer = new Lexer(text, variables, options)
  const words = new WordList()
  const { used, unset } = lexer
  try {
    const value = lexer.read('', options.rawEscapes === true, words)
    return { value, words: words.finish(), used, unset, error: undefined }
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return { value: '', words: [], used, unset, error: lexer.toError(error.message) }
  }
}
