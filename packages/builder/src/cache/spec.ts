/** What `--cache-from` and `--cache-to` ask for, checked: the same for flags, the library, bake and compose files. */
import { canonicalJson } from '../graph/key.ts'
import type { Env, PreparedExport, PreparedImport } from './backend.ts'
import { cacheBackends } from './backends/index.ts'
import { cacheErrors } from './errors.ts'

/** One entry as it is written. */
interface CacheEntry {
  readonly type: string
  readonly attrs: Readonly<Record<string, string>>
}

/** The caches of `--cache-from` in their order, each once. @throws BuildError CACHE_INVALID */
export function prepareCacheFrom(entries: readonly CacheEntry[], env: Env): PreparedImport[] {
  return distinct(entries).flatMap(({ type, attrs }) => {
    const { from } = backendOf('--cache-from', type)
    if (from === undefined)
      throw cacheErrors.invalid(['--cache-from', `there is no type ${type} here`], {
        hint: 'a cache within an image is read with type=registry',
      })
    return from(lowerCased(attrs), env) ?? []
  })
}

/** The caches of `--cache-to` in their order, each once. @throws BuildError CACHE_INVALID */
export function prepareCacheTo(entries: readonly CacheEntry[], env: Env): PreparedExport[] {
  return distinct(entries).flatMap(({ type, attrs }) => backendOf('--cache-to', type).to(lowerCased(attrs), env) ?? [])
}

function backendOf(flag: string, type: string) {
  const backend = Object.hasOwn(cacheBackends, type) ? cacheBackends[type] : undefined
  if (backend !== undefined) return backend
  throw cacheErrors.invalid([flag, `unknown cache type ${JSON.stringify(type)}`], {
    hint: `the types are ${Object.keys(cacheBackends).join(', ')}`,
  })
}

function lowerCased(attrs: CacheEntry['attrs']): ReadonlyMap<string, string> {
  return new Map(Object.entries(attrs).map(([name, value]) => [name.toLowerCase(), value]))
}

function distinct(entries: readonly CacheEntry[]): CacheEntry[] {
  return [...new Map(entries.map((entry) => [canonicalJson(entry), entry])).values()]
}
