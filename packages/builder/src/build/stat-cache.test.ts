import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileStatCache } from './stat-cache.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tsbuild-stat-cache-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const keyIn = (directory: string) => `${statSync(directory).dev}:1:2:3:4`

describe('FileStatCache', () => {
  it('knows files in the next build', async () => {
    const key = keyIn(root)
    const cache = await FileStatCache.open(root, root)
    expect(cache.get(key)).toBeUndefined()
    cache.set(key, 'digest')
    await cache.save()
    expect((await FileStatCache.open(root, root)).get(key)).toBe('digest')
    writeFileSync(join(root, 'x'), '')
    expect((await FileStatCache.open(root, join(root, 'x', '..', 'y'))).get(key)).toBeUndefined()
  })

  it('keeps what a build asked for, in whichever order, and nothing else', async () => {
    const key = (n: number) => `${keyIn(root)}${n}`
    const first = await FileStatCache.open(root, root)
    for (const n of [1, 11, 2, 3]) first.set(key(n), `digest ${n}`)
    await first.save()
    const second = await FileStatCache.open(root, root)
    expect([3, 1, 11, 1, 4].map((n) => second.get(key(n)))).toEqual(['digest 3', 'digest 1', 'digest 11', 'digest 1', undefined]) // biome-ignore format: one list
    second.set(key(4), 'digest 4')
    expect(second.get(key(4))).toBe('digest 4')
    await second.save()
    const third = await FileStatCache.open(root, root)
    expect([1, 2, 3, 4, 11].map((n) => third.get(key(n)))).toEqual(['digest 1', undefined, 'digest 3', 'digest 4', 'digest 11']) // biome-ignore format: one list
  })

  it.skipIf(process.platform !== 'linux')(
    'does not trust file systems that do not keep the time of inodes',
    async () => {
      const cache = await FileStatCache.open(root, '/proc')
      cache.set(keyIn('/proc'), 'digest')
      expect(cache.get(keyIn('/proc'))).toBeUndefined()
    },
  )

  it('does not trust what is on another file system than the context', async () => {
    const cache = await FileStatCache.open(root, root)
    const key = `1${keyIn(root)}`
    cache.set(key, 'digest')
    expect(cache.get(key)).toBeUndefined()
  })
})
