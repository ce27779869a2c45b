/**
 * The rules of .dockerignore files, which `COPY --exclude` and `COPY --parents` share.
 *
 * Follows the reference: patterns are tried in order and the last one that matches decides; a pattern that matches a
 * directory also matches everything below it; `!` re-includes. Paths are relative, with `/`, without a leading `./`.
 */

import { compileGlob, type Glob } from './glob.ts'
import { cleanPath } from './inroot.ts'

/** One line of the file. */
export interface IgnoreRule {
  /** Cleaned, without `!`. */
  readonly pattern: string
  readonly negated: boolean
  /** 1-based; 0 if the rule does not come from a file. */
  readonly line: number
}

/** Compiled rules. Remembers what its last directories matched, so asking in walk order is cheap. */
export interface IgnoreMatcher {
  readonly rules: readonly IgnoreRule[]
  /** Whether any rule begins with `!`. */
  readonly negated: boolean
  /** Whether the path matches, i.e. is excluded; with the rules of {@link parseIgnore} its directories count as well. */
  matches(path: string, isDir?: boolean): boolean
  /** The rule that decides about the path, undefined if none matches. */
  decidingRule(path: string): IgnoreRule | undefined
  /** Whether something below an excluded directory might be re-included, so that it has to be walked. */
  mayReinclude(dir: string): boolean
}

/** Why a rule was refused; `line` as in {@link IgnoreRule}. */
export class IgnoreSyntaxError extends Error {
  readonly line: number
  readonly pattern: string
  constructor(message: string, pattern: string, line: number) {
    super(message)
    this.pattern = pattern
    this.line = line
  }
}

/**
 * Reads the text of a .dockerignore file: a line each, `#` in the first column begins a comment, blanks around are
 * dropped, a leading `/` means nothing.
 *
 * @throws IgnoreSyntaxError for a lone `!` and for malformed patterns
 */
export function parseIgnore(text: string): IgnoreMatcher {
  const rules: IgnoreRule[] = []
  const lines = text.replace(/^\uFEFF/, '').split('\n')
  for (const [index, raw] of lines.entries()) {
    if (raw.startsWith('#')) continue
    let pattern = raw.trim()
    if (pattern === '') continue
    const negated = pattern.startsWith('!')
    if (negated) pattern = pattern.slice(1).trim()
    if (pattern !== '') {
      pattern = cleanPath(pattern)
      if (pattern.length > 1 && pattern.startsWith('/')) pattern = pattern.slice(1)
    }
    rules.push({ pattern, negated, line: index + 1 })
  }
  return compile(rules)
}

/**
 * Rules given one by one, as `--exclude` and `--parents` have them.
 *
 * @throws IgnoreSyntaxError as {@link parseIgnore}
 */
export function compileIgnore(patterns: readonly string[]): IgnoreMatcher {
  const rules: IgnoreRule[] = []
  for (const raw of patterns) {
    let pattern = raw.trim()
    if (pattern === '') continue
    pattern = cleanPath(pattern)
    const negated = pattern.startsWith('!')
    if (negated) pattern = pattern.slice(1)
    if (pattern.length > 1 && pattern.startsWith('/')) pattern = pattern.slice(1)
    rules.push({ pattern, negated, line: 0 })
  }
  return compile(rules)
}

function compile(rules: readonly IgnoreRule[]): IgnoreMatcher {
  const globs = rules.map(({ pattern, negated, line }): Glob => {
    if (pattern === '') throw new IgnoreSyntaxError('illegal exclusion pattern: "!"', '!', line)
    const glob = compileGlob(pattern, true)
    if (glob !== undefined) return glob
    throw new IgnoreSyntaxError(`syntax error in pattern: "${negated ? '!' : ''}${pattern}"`, pattern, line)
  })
  const negatedPrefixes = rules.filter((r) => r.negated).map((r) => literalDirs(r.pattern))
  const none = new Uint8Array(rules.length)
  /** Which rules match a directory or one above it. The chain of the last path asked for. */
  const chain: { dir: string; hits: Uint8Array }[] = []

  const hitsOf = (path: string): Uint8Array => {
    const slash = path.lastIndexOf('/')
    const above = slash < 0 ? none : hitsOfDir(path.slice(0, slash))
    const hits = new Uint8Array(rules.length)
    let excluded = false
    for (let i = 0; i < globs.length; i++) {
      const { negated } = rules[i]!
      // A rule that cannot change the verdict is not tried, as in the reference. This shows below: `!dir` that found
      // nothing to re-include at dir itself does not count for what is in dir.
      if (above[i] !== 1 && (negated !== excluded || !globs[i]!.test(path))) continue
      hits[i] = 1
      excluded = !negated
    }
    return hits
  }
  const hitsOfDir = (dir: string): Uint8Array => {
    while (chain.length > 0) {
      const last = chain[chain.length - 1]!
      if (last.dir === dir) return last.hits
      if (dir.startsWith(last.dir) && dir[last.dir.length] === '/') break
      chain.pop()
    }
    const hits = hitsOf(dir)
    chain.push({ dir, hits })
    return hits
  }
  const deciding = (path: string): IgnoreRule | undefined => {
    if (rules.length === 0) return undefined
    const hits = hitsOf(path)
    for (let i = rules.length - 1; i >= 0; i--) if (hits[i] === 1) return rules[i]
    return undefined
  }
  return {
    rules,
    negated: negatedPrefixes.length > 0,
    decidingRule: deciding,
    matches(path) {
      const rule = deciding(path)
      return rule !== undefined && !rule.negated
    },
    mayReinclude: (dir) => negatedPrefixes.some((prefix) => prefix === '' || overlaps(prefix, dir)),
  }
}

/** The leading components of a pattern that have no wildcard: '' if the first one has. */
function literalDirs(pattern: string): string {
  const parts = pattern.split('/')
  const wild = parts.findIndex((part) => /[*?[\\]/.test(part))
  return (wild < 0 ? parts : parts.slice(0, wild)).join('/')
}

/** Whether one path is the other one or lies below it. */
function overlaps(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`)
}
