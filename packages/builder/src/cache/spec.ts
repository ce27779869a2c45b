/** What `--cache-from` and `--cache-to` ask for, checked: the same for flags, the library, bake and compose files. */
import { createPublicKey } from 'node:crypto'
import { canonicalJson } from '../graph/key.ts'
import type { Env, PreparedExport, PreparedImport } from './backend.ts'
import { cacheBackends } from './backends/index.ts'
import { PLAIN, signingCodec, unsignedCodec, verifyingCodec } from './codec.ts'
import { cacheErrors } from './errors.ts'
import { readPrivateKey, readPublicKey } from './keys.ts'

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
    const { key, rest } = keyOf('verify', attrs)
    const prepared = from(rest, env)
    if (prepared === undefined) return []
    const codec = once(async () => (key === undefined ? PLAIN : verifyingCodec(await readPublicKey(key))))
    const open: typeof prepared.open = async (services) => prepared.open({ ...services, codec: await codec() })
    return { ...prepared, check: () => codec().then(() => undefined), open }
  })
}

/** The caches of `--cache-to` in their order, each once. @throws BuildError CACHE_INVALID */
export function prepareCacheTo(entries: readonly CacheEntry[], env: Env): PreparedExport[] {
  return distinct(entries).flatMap(({ type, attrs }) => {
    const { key, rest } = keyOf('sign', attrs)
    const prepared = backendOf('--cache-to', type).to(rest, env)
    if (prepared === undefined) return []
    const { name, open: openPlain } = prepared
    if (openPlain === undefined) {
      if (key === undefined) return prepared
      throw cacheErrors.invalid(['--cache-to', `a cache of type ${type} cannot be signed: sign the image`])
    }
    const codec = once(async () => {
      if (key === undefined) return unsignedCodec(name)
      const privateKey = await readPrivateKey(key, env)
      return signingCodec(privateKey, createPublicKey(privateKey))
    })
    const open: typeof openPlain = async (services) => openPlain({ ...services, codec: await codec() })
    return { ...prepared, check: () => codec().then(() => undefined), open }
  })
}

function backendOf(flag: string, type: string) {
  const backend = Object.hasOwn(cacheBackends, type) ? cacheBackends[type] : undefined
  if (backend !== undefined) return backend
  throw cacheErrors.invalid([flag, `unknown cache type ${JSON.stringify(type)}`], {
    hint: `the types are ${Object.keys(cacheBackends).join(', ')}`,
  })
}

/** The attributes of a type, and the key file that all types can have. */
function keyOf(attribute: 'sign' | 'verify', attrs: CacheEntry['attrs']) {
  const rest = new Map(Object.entries(attrs).map(([name, value]) => [name.toLowerCase(), value]))
  const key = rest.get(attribute)
  if (key === '') {
    const flag = attribute === 'sign' ? '--cache-to' : '--cache-from'
    throw cacheErrors.invalid([flag, `${attribute} names no key`], { hint: `${attribute}=KEYFILE` })
  }
  rest.delete(attribute)
  return { key, rest: rest as ReadonlyMap<string, string> }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}

function distinct(entries: readonly CacheEntry[]): CacheEntry[] {
  return [...new Map(entries.map((entry) => [canonicalJson(entry), entry])).values()]
}
