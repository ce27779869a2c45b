/**
 * Cache keys: sha256 of canonical JSON of what determines a step's result.
 *
 * A key covers the step's own data, the identities of its inputs and {@link KEY_VERSION}; names, places and cache
 * switches are left out, so moving or renaming a stage keeps its cache.
 */
import { createHash } from 'node:crypto'

/** Raised whenever the meaning of a key or of what is stored under it changes. */
export const KEY_VERSION = 2

/** JSON with sorted object keys and without undefined members: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'bigint') return `"${value}n"`
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members: string[] = []
  for (const key of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[key]
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonicalJson(member)}`)
  }
  return `{${members.join(',')}}`
}

/** sha256 (hex) of the canonical JSON of `parts`. */
export function hashKey(...parts: unknown[]): string {
  return createHash('sha256')
    .update(canonicalJson([KEY_VERSION, ...parts]))
    .digest('hex')
}

/** One thing that a step's key is made of, with its name in explanations. */
export type KeyPart = readonly [name: string, value: unknown]

/** A step's key and all that it is made of, so that two keys can be compared. */
export interface StepKey {
  /** 64 hexadecimal digits. */
  readonly key: string
  readonly parts: readonly KeyPart[]
}

export function stepKey(kind: string, ...parts: readonly KeyPart[]): StepKey {
  return { key: hashKey(kind, ...parts.map(([, value]) => value)), parts }
}

/** What the name of a step's snapshot is made of. */
export interface SnapshotNaming {
  readonly kind: 'file' | 'run'
  /** The step's key. */
  readonly key: string
  /** A random text, for results that the key does not decide. */
  readonly nonce: string | undefined
}

/**
 * The snapshot that a step gives. The layer of a file step is a function of its key; each execution of a RUN, and of a
 * file step that must not come from the cache, gives a new one.
 */
export function snapshotName({ kind, key, nonce }: SnapshotNaming): string {
  if (kind === 'run') return `run-${hashKey('result', key, nonce)}`
  return `file-${nonce === undefined ? key : hashKey('again', key, nonce)}`
}
