/**
 * The lock file: what the sources of a Dockerfile were when somebody last looked, one line each.
 *
 * ```
 * image docker.io/library/alpine:3.22 sha256:…
 * git https://example.com/tool.git#v1 0123…
 * http https://example.com/tool.tar.gz sha256:…
 * ```
 *
 * The lines are sorted, so that what two people lock meets in a merge line by line. Lines that are empty or begin with
 * `#` mean nothing. URLs stand there without credentials.
 */
import {
  familiarReference,
  formatReference,
  isDigest,
  isRegistryError,
  parseReference,
  type Reference,
  withDefaultTag,
} from '@tsbuild/registry-client'
import { withoutCredentials } from '../context/git-remote.ts'
import type { SourceFile } from '../source.ts'
import { lockErrors } from './errors.ts'

/** A source and what it was. */
export interface LockEntry {
  readonly kind: 'image' | 'http' | 'git'
  /** `docker.io/library/alpine:3.22`, a URL, or `URL#REF` of a git repository. */
  readonly source: string
  /** Of an image that of its index, or of the manifest where there is none; of a file that of its content; or a commit. */
  readonly digest: string
}

/** What identifies an entry. */
export type LockKey = Pick<LockEntry, 'kind' | 'source'>

export function lockKey({ kind, source }: LockKey): string {
  return `${kind} ${source}`
}

/** The entry of an image; undefined when its name has a digest, or is none. */
export function imageKey(text: string): LockKey | undefined {
  const reference = referenceOf(text)
  if (reference === undefined || reference.digest !== undefined) return undefined
  return { kind: 'image', source: formatReference(withDefaultTag(reference)) }
}

export function httpKey(url: string): LockKey {
  return { kind: 'http', source: oneWord(withoutCredentials(url)) }
}

/** @param ref as the Dockerfile names it; undefined: the default branch */
export function gitKey(url: string, ref: string | undefined): LockKey {
  return { kind: 'git', source: oneWord(`${withoutCredentials(url)}${ref === undefined ? '' : `#${ref}`}`) }
}

/** A commit's hash, which needs no entry. */
export function isCommit(text: string | undefined): boolean {
  return text !== undefined && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)
}

function oneWord(text: string): string {
  return text.replace(/[\s\p{Cc}]/gu, encodeURIComponent)
}

/** Whether somebody who writes `name` means the entry: its source, or an image in short form, with or without its tag. */
export function isNamed({ kind, source }: LockKey, name: string): boolean {
  if (source === name || source.replace(/#.*$/, '') === name) return true
  if (kind !== 'image') return false
  const [wanted, own] = [referenceOf(name), referenceOf(source)]
  if (wanted === undefined || own === undefined) return false
  const { tag: _, ...repository } = own
  return [own, repository].some((reference) => familiarReference(reference) === familiarReference(wanted))
}

function referenceOf(text: string): Reference | undefined {
  try {
    return parseReference(text)
  } catch (error) {
    if (isRegistryError(error)) return undefined
    throw error
  }
}

const HEAD = '# Made by tsbuild lock. What is locked here is what builds use.\n'

/** The text of a lock file. */
export function renderLock(entries: readonly LockEntry[]): string {
  const lines = entries.map((entry) => `${lockKey(entry)} ${entry.digest}\n`)
  return HEAD + lines.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).join('')
}

/** @throws BuildError LOCK_INVALID at the line */
export function parseLock(file: SourceFile): LockEntry[] {
  const found = new Map<string, LockEntry>()
  for (let line = 1; line <= file.lineCount; line++) {
    const text = file.line(line).trim()
    if (text === '' || text.startsWith('#')) continue
    const fail = (problem: string): never => {
      const offset = file.text.split('\n', line - 1).reduce((sum, part) => sum + part.length + 1, 0)
      const range = { start: file.position(offset), end: file.position(offset + file.line(line).length) }
      throw lockErrors.lockInvalid([`${file.name}:${line}: ${problem}`], { at: { file, range } })
    }
    const entry = entryOf(text) ?? fail('it is no line of the form KIND SOURCE DIGEST')
    const before = found.get(lockKey(entry))
    if (before !== undefined && before.digest !== entry.digest) fail(`${entry.source} is locked twice`)
    found.set(lockKey(entry), entry)
  }
  return [...found.values()]
}

function entryOf(text: string): LockEntry | undefined {
  const [kind, source = '', digest = '', ...more] = text.split(/\s+/)
  if (more.length > 0) return undefined
  if (kind === 'git') return isCommit(digest) ? { kind, source, digest } : undefined
  if (kind !== 'image' && kind !== 'http') return undefined
  return isDigest(digest) ? { kind, source, digest } : undefined
}
