/** Errors of shared caches. Builds go on without a cache; what becomes of an error is for `build/` to say. */
import { defineError } from '../errors.ts'

export const cacheErrors = {
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
