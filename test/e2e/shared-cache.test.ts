/** Two machines that have nothing in common but a shared cache. */
import { readFileSync } from 'node:fs'
import { readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BuildOptions, type BuildResult, build, type CacheSpec } from '@tsbuild/builder'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, countingProxy } from '../support/registry.ts'
import { gate } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('root', 'docker-registry', 'busybox')
const timeout = 600_000

/** What a RUN gives is another thing each time. */
const UUID = 'cat /proc/sys/kernel/random/uuid'

describe.skipIf(needs.skip)(`a shared cache${needs.note}`, () => {
  let place: Workspace
  let proxy: CountingProxy
  let count = 0
  beforeEach(async () => {
    place = await openWorkspace()
    proxy = await countingProxy(inject('registry'))
    count++
  })
  afterEach(async () => {
    await proxy[Symbol.asyncDispose]()
    await place[Symbol.asyncDispose]()
  })

  const dockerfile = () => `
    FROM ${inject('registry')}/busybox AS tools
    COPY tool /tool
    RUN ${UUID} > /made
    RUN ${UUID} > /unused
    FROM ${inject('registry')}/busybox
    WORKDIR /work
    COPY --from=tools /made /made
    RUN ${UUID} > /id
    COPY a /a
  `
  const FILES = { tool: 'tool', a: 'a' }
  const STEPS = 7

  async function on(
    machine: string,
    files: Readonly<Record<string, string>>,
    options: Partial<BuildOptions> = {},
  ): Promise<BuildResult> {
    const context = await place.files(files)
    const env = { PATH: process.env.PATH, HOME: place.home }
    return await build({ context, dockerfileText: dockerfile(), root: place.join(machine), env, ...options })
  }

  /** `to` and `from` of one cache. */
  const caches: Readonly<Record<string, () => readonly [CacheSpec, CacheSpec]>> = {
    registry: () => {
      const ref = `${proxy.host}/shared-cache-${count}:cache`
      return [
        { type: 'registry', attrs: { ref } },
        { type: 'registry', attrs: { ref } },
      ]
    },
    local: () => [
      { type: 'local', attrs: { dest: place.join('cache') } },
      { type: 'local', attrs: { src: place.join('cache') } },
    ],
  }
  const withMode = ({ type, attrs }: CacheSpec, mode: string): CacheSpec => ({ type, attrs: { ...attrs, mode } })
  const all = Object.keys(caches).flatMap((type) => ['min', 'max'].map((mode) => [type, mode] as const))

  it.each(all)('of type %s and mode %s gives what was built elsewhere', { timeout }, async (type, mode) => {
    const [to, from] = caches[type]!()
    const first = await on('a', FILES, { cacheTo: [withMode(to, mode)] })
    expect(first.cache.exported).toMatchObject([{ records: STEPS, sent: { blobs: mode === 'min' ? 4 : 7 } }])
    const second = await on('b', FILES, { cacheFrom: [from] })
    expect(second.steps).toEqual({ total: STEPS, cached: STEPS })
    expect(second.digest).toBe(first.digest)
    expect(second.warnings).toEqual([])
    expect(second.cache.imported).toMatchObject([{ records: STEPS, hits: STEPS, fetched: { blobs: 0, size: 0 } }])
    // Nothing was unpacked or downloaded for that.
    expect(await blobsOf('b', second)).toEqual([])
    // One file is another one.
    const third = await on('c', { ...FILES, a: 'other' }, { cacheFrom: [from] })
    expect(third.steps).toEqual({ total: STEPS, cached: STEPS - 1 })
    expect(third.platforms[0]!.diffIDs.slice(0, -1)).toEqual(first.platforms[0]!.diffIDs.slice(0, -1))
  })

  /** Layers of the image that are in a machine's store. */
  async function blobsOf(machine: string, { platforms }: BuildResult): Promise<string[]> {
    const present = new Set(await readdir(place.join(machine, 'blobs/sha256')))
    return platforms[0]!.layers.map(({ digest }) => digest).filter((digest) => present.has(digest.slice(7)))
  }

  it('exports what came from the cache as well', { timeout }, async () => {
    const [to, from] = caches.local!()
    const first = await on('a', FILES, { cacheTo: [withMode(to, 'max')] })
    const again: CacheSpec = { type: 'local', attrs: { dest: place.join('again'), mode: 'max' } }
    const second = await on('b', FILES, { cacheFrom: [from], cacheTo: [again] })
    expect(second.cache.exported).toMatchObject([{ records: STEPS, sent: { blobs: 7 } }])
    await rm(place.join('cache'), { recursive: true })
    const third = await on('c', FILES, { cacheFrom: [{ type: 'local', attrs: { src: place.join('again') } }] })
    expect(third.steps).toEqual({ total: STEPS, cached: STEPS })
    expect(third.digest).toBe(first.digest)
  })

  it('is pushed from without a download', { timeout }, async () => {
    const [to, from] = caches.registry!()
    const name = `${proxy.host}/shared-cache-${count}-app:1`
    const outputs = [{ type: 'registry', attrs: { name } }] as const
    const first = await on('a', FILES, { cacheTo: [to], outputs })
    // What the push has brought is not sent again.
    expect(first.cache.exported).toMatchObject([{ sent: { blobs: 0 }, present: { blobs: 4 } }])
    const elsewhere = [{ type: 'registry', attrs: { name: `${proxy.host}/shared-cache-${count}-b:1` } }] as const
    proxy.reset()
    const second = await on('b', FILES, { cacheFrom: [from], outputs: elsewhere })
    expect(second.digest).toBe(first.digest)
    const layers = new Set<string>(first.platforms[0]!.layers.map(({ digest }) => digest))
    expect(proxy.blobs.filter((digest) => layers.has(digest))).toEqual([])
    expect(proxy.blobs).toHaveLength(1)
  })
})
