/** Cache types: one line each. */
import type { CacheBackend } from '../backend.ts'
import { inlineBackend } from './inline.ts'
import { localBackend } from './local.ts'
import { registryBackend } from './registry.ts'

/** By type. */
export const cacheBackends: Readonly<Record<string, CacheBackend>> = {
  registry: registryBackend,
  local: localBackend,
  inline: inlineBackend,
}
