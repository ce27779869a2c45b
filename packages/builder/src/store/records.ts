/**
 * Small JSON records by kind and key: results of steps, fingerprints of files. They live in cacache, which is loaded
 * with the first use. A record names the blobs and snapshots that it needs, which keeps them from being pruned.
 */
import { stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { StoreRefs } from './locks.ts'

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
  /** Stores or replaces a record. @param refs what it needs to be of use */
  put(kind: string, key: string, value: unknown, refs?: StoreRefs): Promise<void>
  remove(kind: string, key: string): Promise<void>
  /** All records, or those of one kind. Does not count as a use. */
  list(kind?: string): AsyncIterable<RecordInfo>
}

type Cacache = typeof import('cacache')
interface Metadata {
  readonly kind: string
  readonly key: string
  readonly refs: Required<StoreRefs>
}

/** Records in `<root>/records`. */
export function openRecords(root: string): Records {
  const directory = join(root, 'records')
  let loading: Promise<Cacache> | undefined
  const cacache = () => {
    loading ??= import('cacache').then((module) => module.default as unknown as Cacache)
    return loading
  }
  const id = (kind: string, key: string) => `${kind}:${key}`

  return {
    async get<T>(kind: string, key: string) {
      const cache = await cacache()
      try {
        const found = await cache.get(directory, id(kind, key), { memoize: false })
        const info = await cache.get.info(directory, id(kind, key))
        if (info) await touch(info.path)
        return (JSON.parse(found.data.toString('utf8')) as { value: T }).value
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code
        if (code === 'ENOENT') return undefined
        if (code !== 'EINTEGRITY' && code !== 'EBADSIZE' && !(error instanceof SyntaxError)) throw error
        await cache.rm.entry(directory, id(kind, key))
        return undefined
      }
    },
    async put(kind, key, value, refs = {}) {
      const cache = await cacache()
      const metadata: Metadata = { kind, key, refs: { blobs: refs.blobs ?? [], snapshots: refs.snapshots ?? [] } }
      // Kind and key are part of the content, so that no two records share a file and its time of use.
      await cache.put(directory, id(kind, key), JSON.stringify({ kind, key, value }), { metadata, memoize: false })
    },
    async remove(kind, key) {
      const cache = await cacache()
      const info = await cache.get.info(directory, id(kind, key))
      if (!info) return
      await removeEntry(cache, directory, id(kind, key))
      await cache.rm.content(directory, info.integrity)
    },
    async *list(kind) {
      const cache = await cacache()
      for await (const entry of cache.ls.stream(directory) as AsyncIterable<import('cacache').CacheObject>) {
        const metadata = entry.metadata as Metadata | undefined
        if (!metadata || (kind !== undefined && metadata.kind !== kind)) continue
        const file = await stat(entry.path).catch(() => undefined)
        if (!file) continue
        yield { ...metadata, created: entry.time, lastUsed: Math.max(entry.time, file.mtimeMs), size: file.size }
      }
    },
  }
}

/** Removes the index file too: without the option (which the types do not know) cacache adds a line that says «removed». */
async function removeEntry(cache: Cacache, directory: string, key: string): Promise<void> {
  const remove = cache.rm.entry as (
    directory: string,
    key: string,
    options: { removeFully: boolean },
  ) => Promise<unknown>
  await remove(directory, key, { removeFully: true })
}

/** Reading is a use; a read-only store is no reason to fail. */
async function touch(path: string): Promise<void> {
  const now = new Date()
  await utimes(path, now, now).catch(() => undefined)
}
