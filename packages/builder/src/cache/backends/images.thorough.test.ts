/** What registries and layouts hold beside our caches, and what a cache looks like there. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf, mediaTypes, OciLayout, parseManifest, RegistryClient } from '@tsbuild/registry-client'
import { TestRegistry } from '@tsbuild/registry-client/testing'
import { describe, expect, it } from 'vitest'
import { type ExampleCache, exampleCache, save } from '../backend.contract.ts'
import type { CacheServices, PreparedExport, PreparedImport } from '../backend.ts'
import { type CacheDocument, mergeDocuments, serializeDocument } from '../document.ts'
import { prepareCacheFrom, prepareCacheTo } from '../spec.ts'
import { inlineCache } from './inline.ts'
import { temporaryDirectory } from './temporary.test-support.ts'

const { signal } = new AbortController()

/** A registry and what a build has to reach it. */
async function setUp() {
  const resources = new AsyncDisposableStack()
  const registry = resources.use(await TestRegistry.start())
  const client = resources.use(new RegistryClient({ credentials: false, env: {} }))
  const services: CacheServices = { client, repository: (reference) => client.repository(reference) }
  const ref = `${registry.host}/app:cache`
  return {
    registry,
    services,
    ref,
    load: async (attrs: Record<string, string> = { ref }) => {
      const [prepared] = prepareCacheFrom([{ type: 'registry', attrs }], {}) as [PreparedImport]
      await using importer = await prepared.open(services)
      return await importer.load({ signal })
    },
    exporter: (attrs: Record<string, string> = {}) => ({
      exporter: () => {
        const [prepared] = prepareCacheTo([{ type: 'registry', attrs: { ref, ...attrs } }], {}) as [PreparedExport]
        return prepared.open!(services)
      },
    }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** An image whose layers are those of a cache, which is in its config. */
function addImage(registry: TestRegistry, { document, contents }: ExampleCache, extra: object, tag = 'cache') {
  const layers = document.records.flatMap(({ layer }) => layer ?? [])
  const { store } = registry
  const config = {
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: layers.map((l) => l.diffID) },
  }
  return store.addManifest(
    'app',
    {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: store.addBlob('app', Buffer.from(JSON.stringify({ ...config, ...extra })), mediaTypes.ociConfig),
      layers: layers.map(({ descriptor }) =>
        store.addBlob('app', contents.get(descriptor.digest)!, descriptor.mediaType),
      ),
    },
    tag,
  )
}

const text = (...documents: readonly CacheDocument[]) => serializeDocument(mergeDocuments(...documents)).toString()

describe('a cache in a registry', () => {
  it('is a manifest whose config is the document and whose layers are those of the steps', async () => {
    await using place = await setUp()
    const cache = exampleCache()
    await save(place.exporter(), cache)
    const { manifests, tags } = place.registry.store.repository('app')
    const { bytes, mediaType } = manifests.get(tags.get('cache')!)!
    expect(mediaType).toBe(mediaTypes.ociManifest)
    const layers = cache.document.records.flatMap(({ layer }) => layer ?? [])
    expect(JSON.parse(bytes.toString())).toEqual({
      schemaVersion: 2,
      mediaType,
      config: expect.objectContaining({ mediaType: 'application/vnd.tsbuild.cacheconfig.v1+json' }),
      layers: expect.arrayContaining(
        layers.map((l) => ({ ...l.descriptor, annotations: { 'containerd.io/uncompressed': l.diffID } })),
      ),
    })
  })

  it.each([
    [{ 'image-manifest': 'false' }, mediaTypes.ociIndex],
    [{ 'oci-mediatypes': 'false' }, mediaTypes.dockerIndex],
  ])('is an index with %j', async (attrs, type) => {
    await using place = await setUp()
    const cache = exampleCache()
    await save(place.exporter(attrs), cache)
    const { manifests, tags } = place.registry.store.repository('app')
    const { bytes, mediaType } = manifests.get(tags.get('cache')!)!
    const document = parseManifest(bytes, mediaType)
    expect(mediaType).toBe(type)
    expect(document.kind === 'index' && document.index.manifests.at(-1)!.mediaType).toMatch(/cacheconfig/)
    expect((await place.load()).documents).toHaveLength(1)
    // The other form reads it, and writes its own.
    const other = exampleCache()
    await save(place.exporter(), other)
    expect(text(...(await place.load()).documents)).toBe(text(cache.document, other.document))
  })

  it('mounts blobs from where they are', async () => {
    await using place = await setUp()
    const cache = exampleCache()
    for (const bytes of cache.contents.values()) place.registry.store.addBlob('other/image', bytes)
    await using exporter = await place.exporter().exporter()
    const open = () => expect.fail('asked for bytes')
    const mountFrom = [`${place.registry.host}/other/image`]
    const result = await exporter.save(cache.document, open, { signal, mountFrom, onProgress: () => {} })
    expect(result).toMatchObject({ sent: { blobs: 0 }, present: { blobs: 2 } })
  })

  it('changes nothing where nothing is new, and asks little', async () => {
    await using place = await setUp()
    const cache = exampleCache()
    await save(place.exporter(), cache)
    place.registry.reset()
    await save(place.exporter(), cache)
    expect(place.registry.count('PUT') + place.registry.count('POST')).toBe(0)
    expect(place.registry.requests.length).toBeLessThanOrEqual(5)
  })

  it('does without the layers of others that the registry has lost', async () => {
    await using place = await setUp()
    const [before, cache] = [exampleCache(), exampleCache()]
    await save(place.exporter(), before)
    place.registry.store.repository('app').blobs.delete(before.document.records[0]!.layer!.descriptor.digest)
    await save(place.exporter(), cache)
    const records = (await place.load()).documents[0]!.records
    expect(records).toEqual(expect.arrayContaining([...cache.document.records]))
    expect(records).toContainEqual({ ...before.document.records[0], layer: undefined })
  })

  it.each(['cacheconfig', 'index', 'image', 'inline'])('leaves what others wrote there: %s', async (kind) => {
    await using place = await setUp()
    const { store } = place.registry
    const type = 'application/vnd.buildkit.cacheconfig.v0'
    const config = store.addBlob('app', Buffer.from('{}'), kind === 'image' ? mediaTypes.ociConfig : type)
    if (kind === 'index')
      store.addManifest('app', { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [config] }, 'cache')
    else if (kind === 'inline') addImage(place.registry, exampleCache(), { 'moby.buildkit.cache.v0': 'e30=' })
    else store.addManifest('app', { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] }, 'cache')
    expect(await place.load()).toEqual({ documents: [], foreign: kind === 'image' ? undefined : 'buildkit' })
    const before = new Map(store.repository('app').tags)
    place.registry.reset()
    await expect(save(place.exporter(), exampleCache())).rejects.toMatchObject({
      code: 'CACHE_NOT_EXPORTED',
      message: expect.stringMatching(/there is (a cache of BuildKit|an image), which is left as it is/),
      hint: 'name another tag for the cache',
    })
    expect(store.repository('app').tags).toEqual(before)
    expect(place.registry.count('POST')).toBe(0)
  })
})

describe('a cache in an image', () => {
  it('is read from the config, for the layers that the image has', async () => {
    await using place = await setUp()
    const [cache, other] = [exampleCache(), exampleCache()]
    const document = mergeDocuments(cache.document, other.document)
    addImage(place.registry, cache, inlineCache(document))
    const { documents, foreign } = await place.load()
    const unknown = other.document.records.map((record) => ({ ...record, layer: undefined }))
    expect(foreign).toBeUndefined()
    expect(text(...documents)).toBe(text({ ...document, records: [...cache.document.records, ...unknown] }))
  })

  it('is read from each image of an index', async () => {
    await using place = await setUp()
    const caches = [exampleCache(), exampleCache()]
    const manifests = caches.map((cache, n) => addImage(place.registry, cache, inlineCache(cache.document), `p${n}`))
    place.registry.store.addManifest('app', { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }, 'cache')
    expect(text(...(await place.load()).documents)).toBe(text(...caches.map(({ document }) => document)))
  })

  it.each([
    ['another number of layers', { rootfs: { type: 'layers', diff_ids: [digestOf('x')] } }],
    ['no layers in its config', { rootfs: null }],
  ])('is nothing with %s', async (_, extra) => {
    await using place = await setUp()
    const cache = exampleCache()
    addImage(place.registry, cache, { ...inlineCache(cache.document), ...extra })
    expect(await place.load()).toEqual({ documents: [], foreign: undefined })
  })

  it('is an error when it is damaged', async () => {
    await using place = await setUp()
    addImage(place.registry, exampleCache(), { 'dev.tsbuild.cache.v1': 'e30=' })
    await expect(place.load()).rejects.toMatchObject({ code: 'CACHE_UNUSABLE' })
  })
})

describe('a cache in a directory', () => {
  it('has tags, is found by digest, and beginning anew deletes what is of no tag', async () => {
    await using directory = await temporaryDirectory()
    const dest = join(directory.path, 'a/b')
    const to = (attrs: Record<string, string>) => ({
      exporter: () =>
        (prepareCacheTo([{ type: 'local', attrs: { dest, ...attrs } }], {})[0] as PreparedExport).open!(
          undefined as unknown as CacheServices,
        ),
    })
    const load = async (attrs: Record<string, string>) => {
      const [prepared] = prepareCacheFrom([{ type: 'local', attrs: { src: dest, ...attrs } }], {}) as [PreparedImport]
      await using importer = await prepared.open(undefined as unknown as CacheServices)
      return text(...(await importer.load({ signal })).documents)
    }
    const [main, first, second] = [exampleCache(), exampleCache(), exampleCache()]
    await save(to({ tag: 'main' }), main)
    await save(to({}), first)
    await using layout = await OciLayout.open(dest)
    const { digest } = await layout.resolve('latest')
    const blobs = () => readdir(join(dest, 'blobs/sha256'))
    expect(await blobs()).toHaveLength(8)
    await save(to({ reset: 'true' }), second)
    expect(await load({ tag: 'main' })).toBe(text(main.document))
    expect(await load({})).toBe(text(second.document))
    expect(await load({ digest })).toBe(text())
    expect(await blobs()).toHaveLength(8)
    expect(await load({ digest: (await layout.resolve('main')).digest })).toBe(text(main.document))
    expect((await readdir(dest)).sort()).toEqual(['blobs', 'index.json', 'oci-layout'])
  })
})
