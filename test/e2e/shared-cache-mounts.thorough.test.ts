/** Cache mounts of RUN, from one machine to another by a shared cache. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { readdir, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { type BuildOptions, type BuildResult, build, type CacheSpec } from '@tsbuild/builder'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { type CountingProxy, countingProxy } from '../support/registry.ts'
import { gate } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('root', 'docker-registry', 'busybox')
const timeout = 600_000

describe.skipIf(needs.skip)(`a shared cache with cache mounts${needs.note}`, () => {
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

  /** What a package manager does: it keeps what it has fetched, and looks there first. */
  const dockerfile = (more = '') => `
    FROM ${inject('registry')}/busybox
    COPY packages /packages
    RUN --mount=type=cache,id=npm,target=/npm --mount=type=cache,id=apt,target=/apt,sharing=locked \\
      ls /npm > /had; cp -a /packages/. /npm/; touch /apt/list${more}
  `

  async function on(
    machine: string,
    files: Readonly<Record<string, string | Buffer>>,
    options: Partial<BuildOptions> = {},
  ): Promise<BuildResult> {
    const named = Object.entries(files).map(([name, content]) => [`packages/${name}`, content])
    const context = await place.files(Object.fromEntries(named), `context-${machine}`)
    const env = { PATH: process.env.PATH, HOME: place.home }
    return await build({ context, dockerfileText: dockerfile(), root: place.join(machine), env, ...options })
  }

  const caches: Readonly<
    Record<string, (attrs?: Readonly<Record<string, string>>) => readonly [CacheSpec, CacheSpec]>
  > = {
    registry: (attrs = {}) => {
      const ref = `${proxy.host}/cache-mounts-${count}:cache`
      return [
        { type: 'registry', attrs: { ref, mounts: 'true', ...attrs } },
        { type: 'registry', attrs: { ref } },
      ]
    },
    local: (attrs = {}) => [
      { type: 'local', attrs: { dest: place.join('cache'), mounts: 'true', ...attrs } },
      { type: 'local', attrs: { src: place.join('cache') } },
    ],
  }

  /** What a RUN with another command sees in the mounts of a machine. */
  async function seen(machine: string, cacheFrom: readonly CacheSpec[], more: Partial<BuildOptions> = {}) {
    const dest = place.join(`out-${machine}`)
    const dockerfileText = `
      FROM ${inject('registry')}/busybox
      RUN --mount=type=cache,id=npm,target=/npm --mount=type=cache,id=apt,target=/apt ls /npm /apt > /seen
    `
    const outputs = [{ type: 'local', attrs: { dest } }] as const
    const result = await on(machine, {}, { dockerfileText, cacheFrom, outputs, ...more })
    return {
      result,
      seen: readFileSync(join(dest, 'seen'), 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    }
  }

  it.each(['registry', 'local'])(
    'of type %s fills them elsewhere, and costs its changes',
    { timeout },
    async (type) => {
      const [to, from] = caches[type]!()
      const files = { a: randomBytes(6 << 20), b: randomBytes(6 << 20) }
      const first = await on('a', files, { cacheTo: [to] })
      expect(first.warnings).toEqual([])
      const { mounts } = first.cache.exported[0]!
      expect(mounts.ids).toEqual(['apt', 'npm'])
      expect(mounts.sent.size).toBeGreaterThan(12 << 20)
      expect(first.cache.exported[0]!.sent.size).toBeGreaterThan(0)

      // A build of which nothing has changed has no use for them.
      proxy.reset()
      const cached = await on('b', files, { cacheFrom: [from], cacheTo: [to] })
      expect(cached.steps.cached).toBe(cached.steps.total)
      expect(cached.cache.imported[0]!.mounts).toEqual({ ids: [], blobs: 0, size: 0 })
      expect(cached.cache.exported[0]!.mounts.ids).toEqual([])

      // A RUN that runs finds them, and what it adds is all that is sent.
      const second = await on('c', { ...files, c: 'little' }, { cacheFrom: [from], cacheTo: [to] })
      expect(second.warnings).toEqual([])
      expect(second.cache.imported[0]!.mounts).toMatchObject({ ids: ['apt', 'npm'] })
      expect(second.cache.imported[0]!.mounts.size).toBeGreaterThan(12 << 20)
      const again = second.cache.exported[0]!.mounts
      expect(again.sent.size).toBeLessThan(6 << 20)
      expect(again.present.size).toBeGreaterThan(7 << 20)
      expect((await seen('d', [from])).seen).toEqual(['/apt:', 'list', '/npm:', 'a', 'b', 'c'])
      // What is there stays.
      const there = await seen('c', [from], { noCache: false })
      expect(there.result.cache.imported[0]!.mounts.ids).toEqual([])
    },
  )

  it('carries what it is told to, and only if it is', { timeout }, async () => {
    const files = { a: randomBytes(3 << 20) }
    const plain: CacheSpec = { type: 'local', attrs: { dest: place.join('cache') } }
    const first = await on('a', files, { cacheTo: [plain] })
    expect(first.cache.exported[0]!.mounts.ids).toEqual([])
    expect((await seen('b', [caches.local!()[1]])).seen).toEqual(['/apt:', '/npm:'])

    const [filtered, from] = caches.local!({ 'mounts-id': 'apt;other' })
    const second = await on('c', files, { cacheTo: [filtered] })
    expect(second.cache.exported[0]!.mounts.ids).toEqual(['apt'])
    expect((await seen('d', [from])).seen).toEqual(['/apt:', 'list', '/npm:'])

    const third = await on('e', files, { cacheTo: [caches.local!({ 'mounts-max-size': '1MB' })[0]] })
    expect(third.cache.exported[0]!.mounts.ids).toEqual(['apt'])
    expect(third.warnings.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^cache mount npm is not part of the cache: it has more than 1048576 bytes/),
    ])

    await on('f', files, { cacheTo: [caches.local!()[0]] })
    const off: CacheSpec = { type: 'local', attrs: { ...from.attrs, mounts: 'false' } }
    expect((await seen('g', [off])).seen).toEqual(['/apt:', '/npm:'])
    // `--no-cache` begins with nothing.
    expect((await seen('h', [from], { noCache: true })).seen).toEqual(['/apt:', '/npm:'])
    expect((await seen('i', [from])).seen).toEqual(['/apt:', 'list', '/npm:', 'a'])
  })

  it('whose chunks are damaged leaves them empty, with a warning', { timeout }, async () => {
    const [to, from] = caches.local!()
    await on('a', { a: randomBytes(5 << 20) }, { cacheTo: [to] })
    const blobs = place.join('cache/blobs/sha256')
    const index = JSON.parse(readFileSync(place.join('cache/index.json'), 'utf8'))
    const manifest = JSON.parse(readFileSync(join(blobs, index.manifests[0].digest.slice(7)), 'utf8'))
    const chunks = manifest.layers.filter(({ mediaType }: { mediaType: string }) => mediaType.includes('chunk'))
    const big = chunks.toSorted((a: { size: number }, b: { size: number }) => b.size - a.size)[0]
    await truncate(join(blobs, big.digest.slice(7)), 1000)
    const one = await seen('b', [from])
    expect(one.seen).toEqual(['/apt:', 'list', '/npm:'])
    expect(one.result.warnings.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^cache mount npm is not filled from local /),
    ])
    await rm(join(blobs, big.digest.slice(7)))
    const two = await seen('c', [from])
    expect(two.seen).toEqual(['/apt:', 'list', '/npm:'])
    expect(two.result.warnings).toHaveLength(1)
    // Nothing of it is left.
    expect(await leftovers('b')).toEqual([])
    expect(await leftovers('c')).toEqual([])
  })

  async function leftovers(machine: string): Promise<string[]> {
    const mounts = place.join(machine, 'cache-mounts')
    const made = (await readdir(mounts))
      .filter((name) => name !== 'locks')
      .flatMap((name) => readdirSync(join(mounts, name)))
    const temporary = await readdir(place.join(machine, 'tmp')).catch(() => [])
    return [...made.filter((name) => name.includes('.new-')), ...temporary.filter((name) => name.includes('mount'))]
  }

  it('has those of all jobs that write it at the same time', { timeout }, async () => {
    const [to, from] = caches.registry!()
    const job = (id: string) => {
      const dockerfileText = `
        FROM ${inject('registry')}/busybox
        RUN --mount=type=cache,id=${id},target=/c echo ${id} > /c/${id}
      `
      return on(id, {}, { dockerfileText, cacheTo: [to] })
    }
    await Promise.all(['npm', 'apt', 'other'].map(job))
    expect((await seen('b', [from])).seen).toEqual(['/apt:', 'apt', '/npm:', 'npm'])
  })
})
