/**
 * WWW-Authenticate (RFC 9110 section 11.6.1): what a registry wants to see.
 */

/** One challenge; parameter names are lowercase. */
export interface Challenge {
  /** Lowercase: `basic`, `bearer`. */
  readonly scheme: string
  readonly params: ReadonlyMap<string, string>
}

const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const blanks = /[ \t]*/y
const quoted = /"((?:[^"\\]|\\.)*)"/y
const loose = /[^,\s]*/y

/** All challenges of all WWW-Authenticate headers; what cannot be understood is left out. */
export function parseChallenges(values: readonly string[]): Challenge[] {
  return values.flatMap((value) => parseOne(value.slice(0, 8192)))
}

function parseOne(text: string): Challenge[] {
  const challenges: { scheme: string; params: Map<string, string> }[] = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match !== null) at = pattern.lastIndex
    return match
  }
  while (at < text.length) {
    take(blanks)
    if (text[at] === ',') {
      at++
      continue
    }
    const name = take(token)?.[0]
    if (name === undefined) {
      at++
      continue
    }
    take(blanks)
    const current = challenges.at(-1)
    if (text[at] === '=' && current !== undefined) {
      at++
      take(blanks)
      const value = take(quoted)?.[1]?.replace(/\\(.)/g, '$1') ?? take(loose)?.[0] ?? ''
      const key = name.toLowerCase()
      if (!current.params.has(key)) current.params.set(key, value)
    } else if (text[at] !== '=') {
      challenges.push({ scheme: name.toLowerCase(), params: new Map() })
    } else {
      at++
    }
  }
  return challenges
}
