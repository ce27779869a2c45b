/**
 * Wildcard patterns: the syntax of Go's filepath.Match, and the `**` syntax of .dockerignore.
 *
 * A pattern becomes a small automaton that reads the name once, so no pattern can make matching slow: the time is at
 * most (length of the name) × (length of the pattern). No RegExp is ever built from a pattern.
 */

type Token =
  | { readonly kind: 'char'; readonly code: number }
  /** `?`: any character but `/`. */
  | { readonly kind: 'any' }
  /** `[a-z]`, `[^a-z]`: pairs of first and last code point. */
  | { readonly kind: 'class'; readonly negated: boolean; readonly ranges: readonly number[]; readonly slash: boolean }
  /** `*`: any number of characters but `/`. */
  | { readonly kind: 'star' }
  /** A doubled star with something behind it: nothing, or anything that ends with `/`. */
  | { readonly kind: 'deep' }
  /** A doubled star at the end: anything. */
  | { readonly kind: 'rest' }

/** A compiled pattern. Immutable. */
export interface Glob {
  /** Whether the whole name matches. */
  test(name: string): boolean
  /** The text that is matched if the pattern has no wildcard (escapes resolved), else undefined. */
  readonly literal: string | undefined
}

const SLASH = 47

/**
 * Compiles a pattern.
 *
 * @param deep accept `**` as .dockerignore does; otherwise it means the same as `*`
 * @returns undefined if the pattern is malformed (unclosed `[`, empty class, `\` at the end)
 */
export function compileGlob(pattern: string, deep = false): Glob | undefined {
  const tokens = tokenize(pattern, deep)
  if (tokens === undefined) return undefined
  let head = 0
  while (tokens[head]?.kind === 'char') head++
  const prefix = text(tokens.slice(0, head))
  if (head === tokens.length) return { literal: prefix, test: (name) => name === prefix }
  let tail = tokens.length
  while (tokens[tail - 1]?.kind === 'char') tail--
  const suffix = text(tokens.slice(tail))
  const middle = tokens.slice(head, tail)
  return {
    literal: undefined,
    test(name) {
      if (name.length < prefix.length + suffix.length || !name.startsWith(prefix) || !name.endsWith(suffix))
        return false
      return run(middle, name, prefix.length, name.length - suffix.length)
    },
  }
}

/** Go's filepath.Match: whether the whole name matches; false for a malformed pattern. */
export function matchGlob(pattern: string, name: string): boolean {
  return compileGlob(pattern)?.test(name) ?? false
}

/** Whether a pattern contains an unescaped `*`, `?` or `[`. */
export function hasWildcard(pattern: string): boolean {
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]
    if (c === '\\') i++
    else if (c === '*' || c === '?' || c === '[') return true
  }
  return false
}

function text(tokens: readonly Token[]): string {
  return tokens.map((t) => (t.kind === 'char' ? String.fromCodePoint(t.code) : '')).join('')
}

function tokenize(pattern: string, deep: boolean): Token[] | undefined {
  const tokens: Token[] = []
  const chars = Array.from(pattern, (c) => c.codePointAt(0)!)
  for (let i = 0; i < chars.length; i++) {
    const c = chars[i]!
    if (c === 42) {
      const first = i
      // A third star is one of its own, as in the reference.
      if (deep && chars[i + 1] === 42) i++
      else while (chars[i + 1] === 42 && !deep) i++
      if (!deep || first === i) tokens.push({ kind: 'star' })
      else {
        const slash = chars[i + 1] === SLASH
        if (slash) i++
        // The reference takes a leading `**` before plain text as "ends with".
        const ending =
          first === 0 && !slash && !chars.slice(i + 1).some((x) => x === 42 || x === 63 || x === 91 || x === 92)
        tokens.push({ kind: ending || i + 1 === chars.length ? 'rest' : 'deep' })
      }
    } else if (c === 63) tokens.push({ kind: 'any' })
    else if (c === 92) {
      const next = chars[++i]
      if (next === undefined) return undefined
      tokens.push({ kind: 'char', code: next })
    } else if (c === 91) {
      const end = readClass(chars, i + 1, deep, tokens)
      if (end < 0) return undefined
      i = end
    } else tokens.push({ kind: 'char', code: c })
  }
  return tokens
}

/** Reads a class from behind its `[`; gives the index of its `]`, or -1 if it is malformed. */
function readClass(chars: readonly number[], start: number, slash: boolean, tokens: Token[]): number {
  let i = start
  const negated = chars[i] === 94
  if (negated) i++
  const ranges: number[] = []
  const one = (): number | undefined => {
    let c = chars[i]
    if (c === undefined || c === 45 || c === 93) return undefined
    if (c === 92) c = chars[++i]
    i++
    return c
  }
  for (;;) {
    if (chars[i] === 93 && ranges.length > 0) break
    const low = one()
    if (low === undefined) return -1
    let high: number | undefined = low
    if (chars[i] === 45) {
      i++
      high = one()
      if (high === undefined) return -1
    }
    ranges.push(low, high)
  }
  tokens.push({ kind: 'class', negated, ranges, slash })
  return i
}

function inClass(token: Token & { kind: 'class' }, code: number): boolean {
  if (code === SLASH && !token.slash) return false
  for (let r = 0; r < token.ranges.length; r += 2) {
    if (code >= token.ranges[r]! && code <= token.ranges[r + 1]!) return !token.negated
  }
  return token.negated
}

/** Reads name[from, to) with all states of the automaton at once. State i: tokens before i are matched. */
function run(tokens: readonly Token[], name: string, from: number, to: number): boolean {
  const size = tokens.length
  const only = size === 1 ? tokens[0]!.kind : undefined
  if (only === 'rest') return true
  if (only === 'deep') return from === to || name.charCodeAt(to - 1) === SLASH
  if (only === 'star') {
    const slash = name.indexOf('/', from)
    return slash < 0 || slash >= to
  }
  let now = new Uint8Array(size + 1)
  let next = new Uint8Array(size + 1)
  const enter = (states: Uint8Array, at: number) => {
    // Stars match the empty text too, so the state behind them is reached at once.
    for (let i = at; ; i++) {
      if (states[i] === 0) states[i] = 1
      const kind = tokens[i]?.kind
      if (kind !== 'star' && kind !== 'deep' && kind !== 'rest') return
    }
  }
  enter(now, 0)
  for (let i = from; i < to; i++) {
    const code = name.codePointAt(i)!
    if (code > 0xffff) i++
    next.fill(0)
    let alive = false
    for (let s = 0; s < size; s++) {
      if (now[s] === 0) continue
      const token = tokens[s]!
      if (token.kind === 'deep') {
        if (next[s] === 0) next[s] = 1
        // Having read something, only a `/` leads on: the empty way out was taken when the state was entered.
        if (code === SLASH) enter(next, s + 1)
        alive = true
        continue
      }
      if (token.kind === 'rest' || (token.kind === 'star' && code !== SLASH)) {
        enter(next, s)
        alive = true
      } else if (
        (token.kind === 'char' && token.code === code) ||
        (token.kind === 'any' && code !== SLASH) ||
        (token.kind === 'class' && inClass(token, code))
      ) {
        enter(next, s + 1)
        alive = true
      }
    }
    if (!alive) return false
    const swap = now
    now = next
    next = swap
  }
  return now[size] !== 0
}
