import { type Descriptor, digestOf, mediaTypes } from '@tsbuild/registry-client'
import { expect, it } from 'vitest'
import { snapshotName } from '../graph/key.ts'
import type { CacheImporter } from './backend.ts'
import { type CacheRecord, EMPTY_DOCUMENT } from './document.ts'
import { cacheErrors } from './errors.ts'
import { SharedCaches } from './import.ts'

const KEY = 'a'.repeat(64)
const blob = (text: string): Descriptor => ({ mediaType: mediaTypes.ociLayer, digest: digestOf(Buffer.from(text)), size: text.length }) // biome-ignore format: plain data
const layerOf = (text: string) => ({ descriptor: blob(text), diffID: blob(text).digest })

function record(nonce: string, created: number, change: Partial<CacheRecord> = {}): CacheRecord {
  return { kind: 'run', key: KEY, nonce, started: 1, created, layer: layerOf(nonce), ...change }
}

/** @param load what the cache answers, when it does */
function cacheOf(name: string, load: CacheImporter['load']): CacheImporter {
  return {
    name,
    repository: `host/${name}`,
    load,
    async *openBlob() {
      yield Buffer.from('x')
    },
    async [Symbol.asyncDispose]() {},
  }
}

const holding = (name: string, ...records: CacheRecord[]) =>
  cacheOf(name, async () => ({
    documents: [{ records, fingerprints: new Map([['f', `of ${name}`]]) }],
    foreign: undefined,
  }))

function open(...opened: CacheImporter[]) {
  const importers = opened.map((importer) => ({ importer, mounts: importer.name !== 'deaf' }))
  const titles: string[] = []
  const warnings: string[] = []
  const caches = new SharedCaches(importers, {
    signal: new AbortController().signal,
    task: async (title, work) => {
      titles.push(title)
      return await work()
    },
    warn: (message) => warnings.push(message),
  })
  const nonces = async () => (await caches.results(KEY)).map(({ nonce }) => nonce)
  return { caches, titles, warnings, nonces }
}

it('gives the latest result first, of all caches, until it is distrusted', async () => {
  const { caches, nonces, titles } = open(
    holding('registry a', record('old', 2), record('new', 5)),
    holding('local b', record('middle', 3)),
  )
  expect(titles).toEqual(['importing cache manifest from a', 'importing cache manifest from local b'])
  expect(await nonces()).toEqual(['new', 'middle', 'old'])
  const said = await caches.fingerprints('f')
  expect(said[0]!.digest).toBe('of registry a')
  caches.distrust(snapshotName(record('new', 5)))
  expect(await nonces()).toEqual(['middle', 'old'])
  expect(await caches.results('b'.repeat(64))).toEqual([])
})

it('fetches nothing any more from a cache that has failed more than once', async () => {
  const { caches } = open(holding('a', record('1', 1), record('2', 2), record('3', 3)), holding('b', record('4', 0)))
  await caches.results(KEY)
  for (const nonce of ['1', '2']) caches.distrust(snapshotName(record(nonce, 0)))
  expect(await caches.results(KEY)).toMatchObject([{ nonce: '3', layer: undefined }, { layer: layerOf('4') }])
})

it('goes on without a cache that fails or is of BuildKit, with one warning each', async () => {
  const { caches, warnings, nonces } = open(
    cacheOf('a', async () => Promise.reject(cacheErrors.unusable(['a', 'it is away']))),
    cacheOf('b', async () => ({ documents: [], foreign: 'buildkit' })),
    cacheOf('c', async () => ({ documents: [], foreign: undefined })),
    holding('d', record('1', 1)),
  )
  expect(await nonces()).toEqual(['1'])
  expect(warnings.sort()).toEqual([
    'cache a cannot be used: it is away',
    'cache b cannot be used: BuildKit wrote it, whose keys are other ones',
  ])
  expect(caches.summary().map(({ problem }) => problem !== undefined)).toEqual([true, true, false, false])
})

it('counts what is used and fetched, and knows where a registry has it', async () => {
  const one = record('1', 1)
  const { caches } = open(holding('a', one, record('2', 2)))
  const [, { source }] = (await caches.results(KEY)) as [unknown, { source: CacheImporter }]
  caches.used(snapshotName(one))
  caches.used(snapshotName(one))
  const options = { signal: new AbortController().signal }
  for await (const _ of source.openBlob(blob('1'), options));
  expect(caches.summary()).toEqual([
    {
      name: 'a',
      records: 2,
      hits: 1,
      fetched: { blobs: 1, size: 1 },
      mounts: { ids: [], blobs: 0, size: 0 },
      problem: undefined,
    },
  ])
  expect(caches.repositoriesOf(blob('1').digest)).toEqual(['host/a'])
  expect(caches.repositoriesOf(blob('x').digest)).toEqual([])
  caches.distrust(snapshotName(one))
  expect(caches.summary()).toMatchObject([{ hits: 0 }])
})

it('has what cache mounts held, the latest first, and counts it apart', async () => {
  const key = 'c'.repeat(40)
  const chunk = blob('1')
  const mounted = (name: string, created: number) => {
    const mount = { key, id: 'npm', created, diffID: digestOf('tar'), size: 10, chunks: [chunk] }
    return cacheOf(name, async () => ({ documents: [{ ...EMPTY_DOCUMENT, mounts: [mount] }], foreign: undefined }))
  }
  const { caches } = open(mounted('a', 1), mounted('b', 2), mounted('deaf', 3))
  const found = await caches.mountContents(key)
  expect(found.map(({ cache }) => cache)).toEqual(['b', 'a'])
  expect(await caches.mountContents('d'.repeat(40))).toEqual([])
  for await (const _ of found[0]!.open(chunk, new AbortController().signal));
  found[0]!.used()
  const used = { fetched: { blobs: 0, size: 0 }, mounts: { ids: ['npm'], blobs: 1, size: 1 } }
  expect(caches.summary()).toMatchObject([{ mounts: { ids: [] } }, used, { mounts: { ids: [] } }])
})

it('delays nobody who does not ask, and ends what is under way', async () => {
  let ended = false
  const slow = cacheOf('a', ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => { ended = true; reject(signal.reason) }))) // biome-ignore format: one call
  const { caches, warnings } = open(slow)
  await caches[Symbol.asyncDispose]()
  expect([ended, warnings]).toEqual([true, []])
})
