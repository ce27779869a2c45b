/** Two machines that have nothing in common but a shared cache. */
import { existsSync, readFileSync } from 'node:fs'
import { readdir, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BuildOptions, type BuildResult, build, type CacheSpec } from '@tsbuild/builder'
import { digestOf, OciLayout } from '@tsbuild/registry-client'
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
  /** Needs no worker. */
  const SMALL = { dockerfileText: 'FROM scratch\nCOPY a /a\nCOPY tool /tool\nCOPY a /again/\n' }
  const SMALL_STEPS = 3

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
    const first = await on('a', FILES, { ...SMALL, cacheTo: [withMode(to, 'max')] })
    const again: CacheSpec = { type: 'local', attrs: { dest: place.join('again'), mode: 'max' } }
    const second = await on('b', FILES, { ...SMALL, cacheFrom: [from], cacheTo: [again] })
    expect(second.cache.exported).toMatchObject([{ records: SMALL_STEPS, sent: { blobs: SMALL_STEPS } }])
    await rm(place.join('cache'), { recursive: true })
    const third = await on('c', FILES, {
      ...SMALL,
      cacheFrom: [{ type: 'local', attrs: { src: place.join('again') } }],
    })
    expect(third.steps).toEqual({ total: SMALL_STEPS, cached: SMALL_STEPS })
    expect(third.digest).toBe(first.digest)
  })

  it('is written by a build that reads none', { timeout }, async () => {
    const [to, from] = caches.local!()
    const options = { ...SMALL, cacheTo: [to], cacheFrom: [from] }
    await on('a', FILES, options)
    const anew = await on('a', FILES, { ...options, noCache: true })
    expect(anew.steps).toEqual({ total: SMALL_STEPS, cached: 0 })
    expect(anew.cache).toMatchObject({ imported: [{ hits: 0 }], exported: [{ records: 2 * SMALL_STEPS }] })
    // The latest is what others find.
    const other = await on('b', FILES, { ...SMALL, cacheFrom: [from] })
    expect(other).toMatchObject({ digest: anew.digest, steps: { cached: SMALL_STEPS } })
  })

  it('is one for all platforms', { timeout }, async () => {
    const [to, from] = caches.local!()
    const platforms = ['linux/amd64', 'linux/arm64']
    const options = { dockerfileText: 'FROM scratch\nARG TARGETARCH\nCOPY a /$TARGETARCH\nCOPY tool /\n', platforms }
    const first = await on('a', FILES, { ...options, cacheTo: [to] })
    expect(first.cache.exported).toMatchObject([{ records: 4 }])
    const second = await on('b', FILES, { ...options, cacheFrom: [from] })
    expect(second).toMatchObject({ digest: first.digest, steps: { total: 4, cached: 4 } })
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

  /** Files of the local cache with the layers that a build with `FILES` has put there. */
  async function layerFiles(result: BuildResult): Promise<string[]> {
    const present = await readdir(place.join('cache/blobs/sha256'))
    const layers = result.platforms[0]!.layers.map(({ digest }) => digest.slice('sha256:'.length))
    return layers.filter((name) => present.includes(name)).map((name) => place.join('cache/blobs/sha256', name))
  }

  it.each(['truncated', 'poisoned', 'gone'])(
    'whose layers are %s is warned of, and used no further',
    { timeout },
    async (how) => {
      const [to, from] = caches.local!()
      const files = await layerFiles(await on('a', FILES, { ...SMALL, cacheTo: [to] }))
      expect(files).toHaveLength(SMALL_STEPS)
      for (const file of files) {
        if (how === 'truncated') await truncate(file, 10)
        else if (how === 'poisoned') await writeFile(file, readFileSync(file).fill('x', 20))
        else await rm(file)
      }
      const dest = place.join('image.tar')
      const result = await on('b', FILES, { ...SMALL, cacheFrom: [from], outputs: [{ type: 'oci', attrs: { dest } }] })
      const { length } = result.warnings
      expect([length > 0, length <= 2, result.warnings.map(({ message }) => message)]).toMatchObject([
        true,
        true,
        expect.arrayContaining([expect.stringMatching(/of cache local .* cannot be used: /)]),
      ])
      expect(await blobsOf('b', result)).toHaveLength(result.platforms[0]!.layers.length)
      // What was made is found where it was made.
      expect((await on('b', FILES, SMALL)).digest).toBe(result.digest)
    },
  )

  it('whose record lies about a layer is not believed', { timeout }, async () => {
    const [to, from] = caches.local!()
    await on('a', FILES, { ...SMALL, cacheTo: [to] })
    // Every step has another one's layer: none of them is found.
    await editDocument((text) => {
      const document = JSON.parse(text)
      const records = document.records.filter(({ layer }: { layer?: unknown }) => layer !== undefined)
      const [first, ...rest] = records.map(({ layer }: { layer: { diffID: string } }) => layer.diffID)
      for (const [i, diffID] of [...rest, first].entries()) records[i].layer.diffID = diffID
      return JSON.stringify(document)
    })
    const outputs = [{ type: 'oci', attrs: { dest: place.join('image.tar') } }] as const
    const result = await on('b', FILES, { ...SMALL, cacheFrom: [from], outputs })
    expect(result.warnings.map(({ message }) => message).join()).toMatch(/does not match its diffID/)
    expect(await blobsOf('b', result)).toHaveLength(result.platforms[0]!.layers.length)
    // Nothing of it is remembered: another machine has the same files from the steps.
    expect((await on('b', FILES, { ...SMALL, outputs })).steps.cached).toBe(SMALL_STEPS)
  })

  /** A stage whose files are `word`. */
  const copyOf = (word: string) => `
    FROM ${inject('registry')}/busybox AS tools
    RUN echo ${word} > /made
    FROM ${inject('registry')}/busybox
    COPY --from=tools /made /made
  `
  const localCache = (mode: string) => caches.local!().map((spec) => withMode(spec, mode)) as [CacheSpec, CacheSpec]
  const document = async () => {
    let text = ''
    await editDocument((found) => {
      text = found
      return found
    })
    return JSON.parse(text)
  }

  it('whose fingerprint of files is wrong leaves nothing wrong behind', { timeout }, async () => {
    const [to] = localCache('max')
    const from: CacheSpec = { type: 'local', attrs: { src: place.join('cache') } }
    await on('a', {}, { cacheTo: [to], dockerfileText: copyOf('one') })
    const one = await document()
    await on('a', {}, { cacheTo: [to], dockerfileText: copyOf('two') })
    await editDocument((text) => {
      const both = JSON.parse(text)
      // The files of two are those of one, whose layer is not there.
      for (const key of Object.keys(both.fingerprints)) both.fingerprints[key] = Object.values(one.fingerprints)[0]
      const copy = one.records.find(({ kind }: { kind: string }) => kind === 'file')
      delete both.records.find(({ key }: { key: string }) => key === copy.key).layer
      return JSON.stringify(both)
    })
    const made = async (word: string, cacheFrom: CacheSpec[]) => {
      const dest = place.join(`files-${word}`)
      const outputs = [{ type: 'local', attrs: { dest } }] as const
      const { warnings } = await on('b', {}, { cacheFrom, outputs, dockerfileText: copyOf(word) })
      return { content: readFileSync(join(dest, 'made'), 'utf8'), warnings: warnings.map(({ message }) => message) }
    }
    expect(await made('two', [from])).toEqual({
      content: 'two\n',
      warnings: [expect.stringMatching(/^the digest of copied files of cache local .* cannot be used: /)],
    })
    // Without the cache: nothing is found under the key of other files.
    expect(await made('one', [])).toEqual({ content: 'one\n', warnings: [] })
  })

  it('is not asked for fingerprints of what it does not have', { timeout }, async () => {
    const [to] = localCache('max')
    const from: CacheSpec = { type: 'local', attrs: { src: place.join('cache') } }
    await on('a', {}, { cacheTo: [to], dockerfileText: copyOf('one') })
    const { fingerprints } = await document()
    await editDocument((text) => {
      const wrong = JSON.parse(text)
      for (const key of Object.keys(fingerprints)) wrong.fingerprints[key] = '0'.repeat(64)
      return JSON.stringify(wrong)
    })
    const again: CacheSpec = { type: 'local', attrs: { dest: place.join('again'), mode: 'max' } }
    const result = await on('b', {}, { cacheFrom: [from], cacheTo: [again], dockerfileText: copyOf('one') })
    expect(result.steps).toEqual({ total: 2, cached: 2 })
    await rm(place.join('cache'), { recursive: true })
    await rename(place.join('again'), place.join('cache'))
    expect((await document()).fingerprints).toEqual(fingerprints)
  })

  /** Replaces the document of the local cache. */
  async function editDocument(edit: (text: string) => string): Promise<void> {
    await using layout = await OciLayout.open(place.join('cache'))
    const { bytes, descriptor } = await layout.fetchManifest('latest')
    const manifest = JSON.parse(bytes.toString())
    const document = Buffer.from(edit(readFileSync(blobPath(manifest.config.digest), 'utf8')))
    manifest.config = { ...manifest.config, digest: digestOf(document), size: document.length }
    await writeFile(blobPath(manifest.config.digest), document)
    const target = await OciLayout.create(place.join('cache'), { shared: true })
    await target.pushManifest(Buffer.from(JSON.stringify(manifest)), descriptor.mediaType, { tags: ['latest'] })
  }

  const blobPath = (digest: string) => join(place.join('cache'), 'blobs', ...digest.split(':'))

  it('of mode min is no reason to fail when files of a builder stage are needed', { timeout }, async () => {
    const [to, from] = caches.local!()
    await on('a', FILES, { cacheTo: [to] })
    const dockerfileText = dockerfile().replace('COPY --from=tools /made', 'COPY --from=tools /unused')
    const result = await on('b', FILES, { cacheFrom: [from], dockerfileText })
    expect(result.warnings).toEqual([])
    // All of the stage is made again, and what stands on it.
    expect(result.steps).toEqual({ total: STEPS, cached: 1 })
  })

  it('that cannot be read or written is a warning, or an error', { timeout }, async () => {
    const nowhere = { type: 'registry', attrs: { ref: '127.0.0.1:1/a:b' } } as const
    const outputs = [{ type: 'oci', attrs: { dest: place.join('image.tar') } }] as const
    const ignored: CacheSpec = { type: 'registry', attrs: { ...nowhere.attrs, 'ignore-error': 'true' } }
    const result = await on('a', FILES, { ...SMALL, cacheFrom: [nowhere], cacheTo: [ignored], outputs })
    expect(result.warnings.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^cache registry 127.0.0.1:1\/a:b cannot be used: /),
      expect.stringMatching(/^cache registry 127.0.0.1:1\/a:b was not exported: /),
    ])
    expect(result.cache).toMatchObject({ imported: [{ hits: 0 }], exported: [{ records: 0 }] })
    await rm(place.join('image.tar'))
    await expect(on('a', FILES, { ...SMALL, cacheTo: [nowhere], outputs })).rejects.toMatchObject({
      code: 'CACHE_NOT_EXPORTED',
    })
    // The output was written all the same.
    expect(existsSync(place.join('image.tar'))).toBe(true)
  })

  it('has no byte of a secret', { timeout }, async () => {
    const value = 'never-in-a-cache-4711'
    const dockerfileText = `
      FROM ${inject('registry')}/busybox AS tools
      RUN --mount=type=secret,id=s,target=/s,env=S wc -c < /s > /length && test -n "$S"
      RUN --mount=type=secret,id=s,target=/s cat /s > /kept
      FROM ${inject('registry')}/busybox
      COPY --from=tools /length /
    `
    const options = { dockerfileText, secrets: [{ id: 's', value }], allowSecretsInLayers: true }
    const dest = place.join('cache')
    await on('a', FILES, {
      ...options,
      cacheTo: [{ type: 'local', attrs: { dest, mode: 'max', compression: 'uncompressed' } }],
    })
    const written = await readdir(dest, { recursive: true, withFileTypes: true })
    const files = written.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
    expect(files.length).toBeGreaterThan(4)
    for (const file of files) expect(readFileSync(file).includes(value), file).toBe(false)
    const [, from] = caches.local!()
    expect((await on('b', FILES, { ...options, cacheFrom: [from] })).steps).toEqual({ total: 3, cached: 3 })
  })

  it('in the image itself is found by its name', { timeout }, async () => {
    const name = `${proxy.host}/shared-cache-${count}-inline:1`
    const outputs = [{ type: 'registry', attrs: { name } }] as const
    const first = await on('a', FILES, { cacheTo: [{ type: 'inline', attrs: {} }], outputs })
    const from = [{ type: 'registry', attrs: { ref: name } }] as const
    const second = await on('b', FILES, { cacheFrom: from, cacheTo: [{ type: 'inline', attrs: {} }], outputs })
    expect(second.steps).toEqual({ total: STEPS, cached: STEPS })
    expect(second.digest).toBe(first.digest)
    const third = await on('c', FILES, { cacheFrom: from, buildArgs: { BUILDKIT_INLINE_CACHE: '1' }, outputs })
    expect(third.digest).toBe(first.digest)
    expect(third.warnings).toEqual([])
  })

  it('is compressed as it is told, which changes no image', { timeout }, async () => {
    const [to, from] = caches.local!()
    const attrs = { ...to.attrs, compression: 'zstd', mode: 'max' }
    const first = await on('a', FILES, { ...SMALL, cacheTo: [{ type: 'local', attrs }] })
    const second = await on('b', FILES, { ...SMALL, cacheFrom: [from] })
    expect(second.steps).toEqual({ total: SMALL_STEPS, cached: SMALL_STEPS })
    expect(second.digest).toBe(first.digest)
  })
})
