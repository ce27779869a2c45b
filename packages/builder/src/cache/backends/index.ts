/** Cache types: one line each. */
import type { CacheBackend } from '../backend.ts'
import { azblobBackend } from './azblob.ts'
import { ghaBackend } from './gha.ts'
import { inlineBackend } from './inline.ts'
import { localBackend } from './local.ts'
import { registryBackend } from './registry.ts'
import { s3Backend } from './s3.ts'

/** By type. */
export const cacheBackends: Readonly<Record<string, CacheBackend>> = {
  registry: registryBackend,
  local: localBackend,
  inline: inlineBackend,
  gha: ghaBackend,
  s3: s3Backend,
  azblob: azblobBackend,
}
