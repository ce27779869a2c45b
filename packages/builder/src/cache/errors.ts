/** Errors of shared caches. Builds go on without a cache; what becomes of an error is for `build/` to say. */
import { isRegistryError } from '@tsbuild/registry-client'
import { BuildError, defineError, type ErrorFactory } from '../errors.ts'

export const cacheErrors = {
  invalid: defineError({
    code: 'CACHE_INVALID',
    doc: 'A `--cache-from` or `--cache-to` has an unknown type or attribute, or a value of the wrong form.',
    message: (flag: string, problem: string) => `${flag}: ${problem}`,
    hint: 'caches look like type=registry,ref=host/repository:tag or type=local,dest=directory',
  }),
  unusable: defineError({
    code: 'CACHE_UNUSABLE',
    doc: 'A cache that --cache-from names cannot be read, or is none.',
    message: (name: string, problem: string) => `cache ${name} cannot be used: ${problem}`,
  }),
  notExported: defineError({
    code: 'CACHE_NOT_EXPORTED',
    doc: 'The cache could not be written where --cache-to says.',
    message: (name: string, problem: string) => `cache ${name} was not exported: ${problem}`,
    hint: 'with ignore-error=true in --cache-to the build goes on',
  }),
}

/**
 * Does something with a cache; what goes wrong becomes an error of `factory`, but for the end of an aborted call.
 *
 * @param name see CacheImporter.name
 */
export async function forCache<T>(
  factory: ErrorFactory<readonly [name: string, problem: string]>,
  name: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (signal.aborted || error instanceof BuildError) throw error
    const hint = isRegistryError(error) ? error.hint : undefined
    const problem = error instanceof Error ? error.message : String(error)
    throw factory([name, problem], { cause: error, ...(hint !== undefined && { hint }) })
  }
}
