/** Build flags: what is taken from the cache and where it is kept. */
import { parseCache } from './output.ts'
import type { BuildFlag } from './row.ts'

export const CACHE_FLAGS: readonly BuildFlag[] = [
  {
    name: 'no-cache',
    type: 'boolean',
    help: 'Run every step again',
    set: (draft, value) => {
      draft.options.noCache = value
    },
  },
  {
    name: 'no-cache-filter',
    type: 'slice',
    value: 'STAGE',
    help: 'Run the steps of these stages again',
    set: (draft, values) => {
      draft.options.noCacheFilter = values
    },
  },
  {
    name: 'cache-from',
    type: 'list',
    value: 'NAME|type=TYPE[,KEY=VALUE]',
    help: 'Look for cached steps there too (repeatable)',
    set: (draft, values) => {
      draft.options.cacheFrom = values.filter((text) => text !== '').flatMap((text) => parseCache(text, 'cache-from'))
    },
  },
  {
    name: 'cache-to',
    type: 'list',
    value: 'NAME|type=TYPE[,KEY=VALUE]',
    help: 'Store the cache there after the build (repeatable)',
    set: (draft, values) => {
      draft.options.cacheTo = values.filter((text) => text !== '').flatMap((text) => parseCache(text, 'cache-to'))
    },
  },
]
