import { digestOf } from '@tsbuild/registry-client'
import { describe, expect, it } from 'vitest'
import {
  type CacheDocument,
  documentToWrite,
  EMPTY_DOCUMENT,
  parseCacheDocument,
  serializeDocument,
  withBlobs,
} from './document.ts'
import { MOUNT_LIMITS, mountsThatFit, type SharedMount } from './mounts.ts'

const chunk = (name: string, size = 10) => ({ digest: digestOf(name), size })
const mount = (id: string, created: number, chunks = [chunk(`${id} ${created}`)]): SharedMount => ({
  key: digestOf(id).slice(7, 47),
  id,
  created,
  diffID: digestOf('archive'),
  size: 100,
  chunks,
})
const of = (...mounts: SharedMount[]): CacheDocument => ({ ...EMPTY_DOCUMENT, mounts })
const ids = ({ mounts = [] }: CacheDocument) => mounts.map(({ id, created }) => `${id}${created}`).sort()

describe('cache mounts in a document', () => {
  it('are written and read', () => {
    const bytes = serializeDocument(of(mount('b', 1), mount('a', 2)))
    expect(ids(parseCacheDocument(bytes))).toEqual(['a2', 'b1'])
    expect(serializeDocument(parseCacheDocument(bytes)).equals(bytes)).toBe(true)
    // What has none is as it was before there were any.
    expect(serializeDocument(EMPTY_DOCUMENT).toString()).not.toContain('mounts')
    expect(() => parseCacheDocument(Buffer.from(bytes.toString().replace('"size":10', '"size":-1')))).toThrow()
  })

  it('are the latest of each', () => {
    expect(ids(documentToWrite(of(mount('a', 1), mount('b', 5)), of(mount('a', 3), mount('b', 2))))).toEqual([
      'a3',
      'b5',
    ])
  })

  it('are as many as manifests can name: own ones first, then the latest', () => {
    const chunks = (id: string, n: number) => Array.from({ length: n }, (_, i) => chunk(`${id} ${i}`))
    const half = MOUNT_LIMITS.chunks / 2
    const old = mount('old', 1, chunks('old', half))
    const late = mount('late', 3, chunks('late', half))
    const own = mount('own', 2, chunks('own', half))
    expect(ids(documentToWrite(of(old, late), of(own)))).toEqual(['late3', 'own2'])
    // What they have in common counts once.
    expect(mountsThatFit([old, late, mount('same', 2, [...old.chunks, ...late.chunks])])).toHaveLength(3)
    expect(mountsThatFit([mount('big', 1, [chunk('big', MOUNT_LIMITS.chunkBytes + 1)])])).toEqual([])
    expect(
      mountsThatFit(Array.from({ length: MOUNT_LIMITS.mounts + 1 }, (_, i) => mount(`m${i}`, i, []))),
    ).toHaveLength(MOUNT_LIMITS.mounts)
  })

  it('are whole or not there', () => {
    const [one, two] = [mount('a', 1, [chunk('x'), chunk('y')]), mount('b', 2, [chunk('y')])]
    expect(ids(withBlobs(of(one, two), (digest) => digest !== digestOf('x')))).toEqual(['b2'])
  })
})
