/** kaniko's flags: what is taken from the cache, and where it is kept. */

import { UsageError } from '../usage-error.ts'
import { type KanikoFlag, noEffect, refused, works, worksWith } from './row.ts'

export const CACHE_FLAGS: readonly KanikoFlag[] = [
  works(
    {
      name: 'cache',
      note: "Take steps from the local store and from the shared cache in --cache-repo, and write them there; without it every step runs, as in kaniko (kaniko's own cache is not read)",
    },
    (draft, value) => {
      draft.cache = value
    },
  ),
  worksWith(
    {
      name: 'cache-repo',
      value: 'REPOSITORY',
      note: 'The repository of the cache, whose tag `tsbuild` it is, or oci:DIR (default DESTINATION/cache)',
    },
    (draft, value) => {
      draft.cacheRepo = value || undefined
    },
  ),
  works({ name: 'no-push-cache', note: 'Read the shared cache, and do not write it' }, (draft, value) => {
    draft.noPushCache = value
  }),
  noEffect({ name: 'cache-copy-layers', note: 'with --cache the layers of all instructions are cached' }),
  works(
    {
      name: 'cache-run-layers',
      note: 'Always so with --cache: false is refused, since the cache has the layers of all instructions',
    },
    (draft, value) => {
      if (!value)
        throw new UsageError('--cache-run-layers=false is not supported', 'leave out --cache to run every step')
      draft.notes.push('--cache-run-layers has no effect: with --cache the layers of all instructions are cached')
    },
  ),
  noEffect({
    name: 'cache-ttl',
    value: 'DURATION',
    note: 'the cache does not expire; leave out --cache from time to time, or let the registry delete its tag',
  }),
  noEffect({
    name: 'cache-dir',
    value: 'DIR',
    note: 'base images are kept in the local store, $TSBUILD_ROOT, which may be on a volume that jobs share',
  }),
  noEffect({ name: 'compressed-caching', note: 'layers are compressed piece by piece, in little memory' }),
  refused({ name: 'dryrun', note: 'tsbuild build --check looks at the Dockerfile without building it' }),
]
