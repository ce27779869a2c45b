/** What the directory of a cache mount is called: what makes it another cache is part of it. */
import { createHash } from 'node:crypto'
import { relativeToRoot } from '../util/inroot.ts'
import type { RunMountSpec } from './worker-api.ts'

export type CacheSpec = RunMountSpec & { type: 'cache' }

export function cacheMountName({ id, seed: layers, mode, uid, gid, source }: CacheSpec): string {
  // As in the reference, another owner, mode or seed is another cache.
  // A seeded cache holds what its source is, no more: another source is another cache, too.
  const part = relativeToRoot(source)
  const seeded = layers === undefined ? [] : [...layers, ...(part === '' ? [] : [`source=${part}`])]
  return createHash('sha256')
    .update([id, ...seeded, mode, uid, gid].join('\0'))
    .digest('hex')
    .slice(0, 40)
}
