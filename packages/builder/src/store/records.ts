/**
 * Small JSON records by kind and key: results of steps, fingerprints of files. A record names the blobs and snapshots
 * that it needs, which keeps them from being pruned.
 *
 * ```
 * <root>/records/<kind>/<sha256 of the key>   a checksum, a line feed, JSON
 * ```
 *
 * A record is written beside its place and renamed, so it is seen whole or not at all. It is not flushed to disk: one
 * that a power failure damages does not match its checksum and counts as absent.
 */
import { hash } from 'node:crypto'
import { readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { schema } from '@tsbuild/registry-client'
import { hasCode } from '../util/has-code.ts'
import { makeDirectorySync } from '../util/make-directory.ts'
import { readPlainFile } from '../util/plain-file.ts'
import type { TemporaryPath } from './content-store.ts'
import type { StoreRefs } from './leases.ts'

/** A stored record as lists and prune see it. */
export interface RecordInfo {
  readonly kind: string
  readonly key: string
  readonly refs: Required<StoreRefs>
  /** Milliseconds since the epoch. */
  readonly created: number
  readonly lastUsed: number
  /** Bytes of the record itself. */
  readonly size: number
}

export interface Records {
  /** The value, or undefined when there is none or it is damaged. Counts as a use. */
  get<T>(kind: string, key: string): Promise<T | undefined>
  /**
   * Stores or replaces a record.
   *
   * @param kind lower-case letters
   * @param refs what it needs to be of use
   */
  put(kind: string, key: string, value: unknown, refs?: StoreRefs): Promise<void>
  remove(kind: string, key: string): Promise<void>
  /** All records, or those of one kind. Does not count as a use. */
  list(kind?: string): AsyncIterable<RecordInfo>
  /** The values of all records of a kind. Does not count as a use. */
  values(kind: string): AsyncIterable<{ readonly key: string; readonly value: unknown }>
}

/** Of a record that is read. */
const MAX_BYTES = 256 * 1024 * 1024

/** What a record's file holds. */
interface Stored {
  readonly key: string
  readonly created: number
  readonly refs: Required<StoreRefs>
  readonly value: unknown
}

const texts = schema.list(schema.text, 'texts')
const storedSchema = schema.object<Stored>({
  key: schema.text,
  created: schema.size,
  refs: schema.object<Stored['refs']>({ blobs: texts, snapshots: texts }),
  value: schema.anything,
})

/** Records of the store in `root`. @param temporaryFile see {@link ContentStore.temporaryFile} */
export function openRecords(root: string, temporaryFile: (prefix: string) => TemporaryPath): Records {
  const directory = join(root, 'records')
  const place = (kind: string, key: string) => join(directory, kind, hash('sha256', key))

  return {
    async get<T>(kind: string, key: string) {
      const path = place(kind, key)
      const stored = await read(path)
      if (stored?.key !== key) return undefined
      // Reading is a use; a read-only store is no reason to fail.
      const now = Date.now() / 1000
      await utimes(path, now, now).catch(() => undefined)
      return stored.value as T
    },
    async put(kind, key, value, { blobs = [], snapshots = [] } = {}) {
      const json = JSON.stringify({ key, created: Date.now(), refs: { blobs, snapshots }, value } satisfies Stored)
      await using temporary = temporaryFile('record')
      const { path } = temporary
      await writeFile(path, `${hash('sha256', json)}\n${json}`, { mode: 0o600 })
      await rename(path, place(kind, key)).catch(async (error: unknown) => {
        if (!isAbsence(error)) throw error
        makeDirectorySync(join(directory, kind), 0o700)
        await rename(path, place(kind, key))
      })
    },
    remove: (kind, key) => rm(place(kind, key), { force: true }),
    async *values(kind) {
      for (const name of await readdir(join(directory, kind)).catch(() => [])) {
        const stored = await read(join(directory, kind, name))
        if (stored) yield { key: stored.key, value: stored.value }
      }
    },
    async *list(only) {
      for (const kind of only === undefined ? await readdir(directory).catch(() => []) : [only]) {
        for (const name of await readdir(join(directory, kind)).catch(() => [])) {
          const path = join(directory, kind, name)
          const [stored, file] = await Promise.all([read(path), stat(path).catch(() => undefined)])
          if (!stored || !file) continue
          const { key, refs, created } = stored
          yield { kind, key, refs, created, lastUsed: file.mtimeMs, size: file.size }
        }
      }
    },
  }
}

/** undefined when the file is missing, or is not what was written: then it is removed. */
async function read(path: string): Promise<Stored | undefined> {
  const text = (await readPlainFile(path, MAX_BYTES))?.toString() ?? ''
  const [checksum, json] = text.split('\n', 2)
  if (json !== undefined && hash('sha256', json) === checksum) {
    try {
      return storedSchema(JSON.parse(json), '')
    } catch {
      // Of another version, or not of our making.
    }
  }
  await rm(path, { force: true }).catch(() => undefined)
  return undefined
}

/** Whoever else has put something there, it is no record. */
function isAbsence(error: unknown): boolean {
  return hasCode(error, 'ENOENT', 'EISDIR', 'ENOTDIR')
}
