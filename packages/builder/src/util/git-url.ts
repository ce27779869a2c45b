/**
 * Git repositories as contexts and ADD name them: `https://host/repo.git#ref:subdir`, `git@host:repo`, and the query
 * form `https://host/repo.git?tag=v1&subdir=docs`. Leaf module.
 */
import { defineError } from '../errors.ts'

/** Errors of reading such names. */
export const gitUrlErrors = {
  gitUrlInvalid: defineError({
    code: 'GIT_URL_INVALID',
    doc: 'The query or fragment of a git URL is not understood: unknown keys, two values for one key, a ref that begins with a dash.',
    message: (reason: string) => reason,
    hint: 'keys are ref, tag, branch, commit (or checksum), subdir, submodules and keep-git-dir',
  }),
}

/** A repository, and what of it is meant. */
export interface GitUrl {
  /** What git is given: without query and fragment. May hold credentials. */
  readonly remote: string
  /** Branch, tag, full ref name or commit; undefined for the default branch. */
  readonly ref: string | undefined
  /** Directory within the repository. */
  readonly subdir: string | undefined
  /** Commit (or the beginning of its hash) that the ref must be. */
  readonly checksum: string | undefined
  readonly keepGitDir: boolean | undefined
  readonly submodules: boolean | undefined
}

const SCHEMES = new Set(['http', 'https', 'ssh', 'git'])

/**
 * Reads the name of a repository. An http(s) URL is one if its path ends with `.git`.
 *
 * @param short also accept `github.com/user/repo`, which only the build context may be
 * @returns undefined if it names no repository
 * @throws BuildError GIT_URL_INVALID
 */
export function parseGitUrl(text: string, short = false): GitUrl | undefined {
  if (text.startsWith('./') || text.startsWith('../')) return undefined
  const hash = text.indexOf('#')
  const [before, fragment] = hash < 0 ? [text, ''] : [text.slice(0, hash), text.slice(hash + 1)]
  const mark = before.indexOf('?')
  const [base, query] = mark < 0 ? [before, ''] : [before.slice(0, mark), before.slice(mark + 1)]
  const remote = remoteOf(base, short)
  if (remote === undefined) return undefined

  const colon = fragment.indexOf(':')
  const [ref, subdir] = colon < 0 ? [fragment, ''] : [fragment.slice(0, colon), fragment.slice(colon + 1)]
  const wanted = readQuery(new URLSearchParams(query), { ref: decode(ref), subdir: decode(subdir) })
  for (const value of [remote, wanted.ref, wanted.checksum]) {
    if (value?.startsWith('-')) throw gitUrlErrors.gitUrlInvalid([`${JSON.stringify(value)} begins with a dash`])
  }
  return { remote, ...wanted }
}

function remoteOf(base: string, short: boolean): string | undefined {
  if (short && base.startsWith('github.com/')) return `https://${base}`
  const scheme = /^([a-zA-Z0-9]+):\/\//.exec(base)?.[1]?.toLowerCase()
  if (scheme === undefined) return /^\w[\w-]*@[a-zA-Z0-9][a-zA-Z0-9.-]*:[^-]/.test(base) ? base : undefined
  if (!SCHEMES.has(scheme) || !URL.canParse(base)) return undefined
  if (scheme.startsWith('http') && !new URL(base).pathname.endsWith('.git')) return undefined
  return base
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

type Wanted = Omit<GitUrl, 'remote'>

function readQuery(query: URLSearchParams, from: { ref: string; subdir: string }): Wanted {
  let { ref, subdir } = from
  let checksum: string | undefined
  const flags = new Map<string, boolean>()
  const prefixed = new Map<string, string>()
  const agree = (what: string, one: string, other: string): string => {
    if (one !== '' && one !== other) {
      throw gitUrlErrors.gitUrlInvalid([`${what} conflicts: ${JSON.stringify(one)} vs ${JSON.stringify(other)}`])
    }
    return other
  }
  for (const key of new Set(query.keys())) {
    const values = query.getAll(key)
    const value = values[0]!
    if (values.length > 1) throw gitUrlErrors.gitUrlInvalid([`query ${JSON.stringify(key)} has multiple values`])
    if (key === 'submodules' || key === 'keep-git-dir') flags.set(key, value === '' || readBoolean(key, value))
    else if (value === '') throw gitUrlErrors.gitUrlInvalid([`query ${JSON.stringify(key)} has no value`])
    else if (key === 'ref') ref = agree('ref', ref, value)
    else if (key === 'subdir') subdir = agree('subdir', subdir, value)
    else if (key === 'checksum' || key === 'commit') checksum = value
    else if (key === 'tag' || key === 'branch') prefixed.set(key, value)
    else throw gitUrlErrors.gitUrlInvalid([`unexpected query ${JSON.stringify(key)}`])
  }
  if (prefixed.size > 1) throw gitUrlErrors.gitUrlInvalid(['branch conflicts with tag'])
  for (const [key, value] of prefixed) {
    const prefix = key === 'tag' ? 'refs/tags/' : 'refs/heads/'
    ref = agree('ref', ref, value.startsWith(prefix) ? value : prefix + value)
  }
  return {
    ref: ref || checksum,
    subdir: subdir || undefined,
    checksum,
    keepGitDir: flags.get('keep-git-dir'),
    submodules: flags.get('submodules'),
  }
}

/** As Go's strconv.ParseBool. */
function readBoolean(key: string, value: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false
  throw gitUrlErrors.gitUrlInvalid([`invalid ${key} value: ${JSON.stringify(value)}`])
}
