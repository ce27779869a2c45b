import { randomBytes } from 'node:crypto'
import { type Descriptor, digestOf } from '@tsbuild/registry-client'
import { describe, expect, it } from 'vitest'
import { type BackendSubject, backendContract, type Damage, exampleCache } from '../backend.contract.ts'
import { PLAIN } from '../codec.ts'
import type { CacheRecord } from '../document.ts'
import { actionsToken, startActions, type TestActions } from '../services/actions-server.test-support.ts'
import { ActionsService } from '../services/actions-service.ts'
import { status, when } from '../services/test-server.test-support.ts'
import { prepareCacheFrom, prepareCacheTo } from '../spec.ts'
import { actionsExporter } from './gha-cache.ts'
import { packsOf, parseIndex } from './gha-index.ts'
import { damaged, faultsOf, Machines, pieces } from './service-subject.test-support.ts'

backendContract('gha', () => subject(2), 30)
backendContract('gha, first version', () => subject(1))

const MAIN = actionsToken({ 'refs/heads/main': 3 })

function environment({ server }: TestActions, version: 1 | 2, token = MAIN): Record<string, string> {
  return version === 2
    ? { ACTIONS_RUNTIME_TOKEN: token, ACTIONS_RESULTS_URL: `${server.origin}/`, ACTIONS_CACHE_SERVICE_V2: 'true' }
    : { ACTIONS_RUNTIME_TOKEN: token, ACTIONS_CACHE_URL: `${server.origin}/` }
}

async function subject(version: 1 | 2): Promise<BackendSubject> {
  const actions = await startActions()
  const machines = new Machines()
  const env = environment(actions, version)
  // How long one request is sent again after it failed; it may take longer.
  const attrs = { timeout: '100ms' }
  const { blobs } = actions.service
  const spoil = (blob: string, start: number, end: number, how: Damage) => {
    const there = blobs.get(blob)!
    const part = damaged(there.bytes.subarray(start, end), how)
    blobs.set(blob, { ...there, bytes: Buffer.concat([there.bytes.subarray(0, start), part]) })
  }
  const remove = (prefix: string) => {
    for (const { key, blob } of actions.entries) if (key.startsWith(prefix)) blobs.delete(blob)
    actions.entries.forEach((entry, i) => {
      // Its place in the list is its number.
      if (entry.key.startsWith(prefix)) actions.entries[i] = { ...entry, key: 'gone', finished: false }
    })
  }
  return {
    importer: () => prepareCacheFrom([{ type: 'gha', attrs }], env)[0]!.open(machines.next()),
    exporter: () => prepareCacheTo([{ type: 'gha', attrs }], env)[0]!.open!(machines.next()),
    async spoil({ digest }, how) {
      if (how === 'missing') return remove('tsbuild-blobs')
      const index = parseIndex(blobs.get(actions.newest('tsbuild-index')!.blob)!.bytes, PLAIN)
      const pack = index.packs.find((one) => one.blobs.some((blob) => blob.digest === digest))!
      const { offset, size } = pack.blobs.find((blob) => blob.digest === digest)!
      spoil(actions.newest(pack.key)!.blob, offset, offset + size, how)
    },
    async spoilDocument(how) {
      if (how === 'missing') return remove('tsbuild-index')
      const { blob } = actions.newest('tsbuild-index')!
      spoil(blob, 0, blobs.get(blob)!.bytes.length, how)
    },
    faults: faultsOf(actions.server, machines, /index/),
    async [Symbol.asyncDispose]() {
      await machines[Symbol.asyncDispose]()
      await actions.server[Symbol.asyncDispose]()
    },
  }
}

const signal = new AbortController().signal
const options = { signal, mountFrom: [], onProgress: () => {} }

/** A service, and jobs that talk to it. */
async function start() {
  const actions = await startActions()
  const machines = new Machines()
  const save = async (cache: ReturnType<typeof exampleCache>, token = MAIN, attrs: Record<string, string> = {}) => {
    const [to] = prepareCacheTo([{ type: 'gha', attrs }], environment(actions, 2, token))
    await using exporter = await to!.open!(machines.next())
    return await exporter.save(
      cache.document,
      ({ digest }) =>
        () =>
          pieces(cache.contents.get(digest)!),
      options,
    )
  }
  const importer = (token = MAIN, attrs: Record<string, string> = {}) =>
    prepareCacheFrom([{ type: 'gha', attrs }], environment(actions, 2, token))[0]!.open(machines.next())
  return {
    actions,
    machines,
    save,
    importer,
    async [Symbol.asyncDispose]() {
      await machines[Symbol.asyncDispose]()
      await actions.server[Symbol.asyncDispose]()
    },
  }
}

function manyLayers(count: number, size: number): ReturnType<typeof exampleCache> {
  const { document } = exampleCache()
  const [record] = document.records
  const contents = new Map(
    Array.from({ length: count }, () => randomBytes(size)).map((b) => [digestOf(b) as string, b]),
  )
  const records = [...contents].map(
    ([digest, bytes]): CacheRecord => ({
      ...record!,
      key: digest.slice('sha256:'.length),
      layer: {
        ...record!.layer!,
        descriptor: { ...record!.layer!.descriptor, digest, size: bytes.length } as Descriptor,
      },
    }),
  )
  return { document: { ...document, records }, contents }
}

describe('gha', () => {
  it('is nothing outside of a job', () => {
    const spec = [{ type: 'gha', attrs: { scope: 'x' } }] as const
    expect([prepareCacheFrom(spec, {}), prepareCacheTo(spec, {})]).toEqual([[], []])
    expect(prepareCacheTo(spec, { ACTIONS_RUNTIME_TOKEN: 'x' })).toEqual([])
    expect(prepareCacheTo(spec, { ACTIONS_RESULTS_URL: 'https://x' })).toEqual([])
    expect(prepareCacheTo(spec, { ACTIONS_RUNTIME_TOKEN: 'x', ACTIONS_CACHE_URL: 'https://x' })).toHaveLength(1)
  })

  it.each<[string, Record<string, string>, RegExp]>([
    ['a version that is none', { version: '3' }, /invalid version/],
    ['a scope that is a list', { scope: 'a,b' }, /invalid scope/],
    ['a time that is none', { timeout: 'long' }, /timeout/],
    ['an address that is none', { token: 't', url_v2: 'nowhere', version: '2' }, /url_v2 is not a URL/],
  ])('refuses %s', (_, attrs, message) => {
    expect(() => prepareCacheTo([{ type: 'gha', attrs }], {})).toThrow(message)
  })

  it('says what has no effect', () => {
    const attrs = { token: 't', url: 'https://x', repository: 'a/b' }
    expect(prepareCacheTo([{ type: 'gha', attrs }], {})[0]!.warnings).toEqual([
      expect.stringContaining('repository and ghtoken have no effect'),
    ])
  })

  it('puts small blobs together, since entries are counted, and asks for parts of them', async () => {
    await using it = await start()
    const cache = manyLayers(40, 1000)
    expect(await it.save(cache)).toMatchObject({ sent: { blobs: 40, size: 40_000 }, records: 40 })
    expect(it.actions.entries.map(({ key }) => key.replace(/[0-9a-f]{8,}/, '…'))).toEqual([
      'tsbuild-blobs-1-…',
      'tsbuild-index-tsbuild-1-…#1',
    ])
    expect(await it.save(cache)).toMatchObject({ sent: { blobs: 0 }, present: { blobs: 40, size: 40_000 } })
    expect(it.actions.entries).toHaveLength(2)
    await using importer = await it.importer()
    const { documents } = await importer.load({ signal })
    for (const { layer } of documents[0]!.records.slice(0, 5)) {
      const chunks: Buffer[] = []
      for await (const chunk of importer.openBlob(layer!.descriptor, { signal })) chunks.push(chunk)
      expect(Buffer.concat(chunks)).toEqual(cache.contents.get(layer!.descriptor.digest))
    }
    // One address of the pack, and parts.
    expect(it.actions.server.seen.filter((line) => /^GET .*blobs/.test(line))).toHaveLength(5)
  })

  it('gives big blobs entries of their own', () => {
    const blob = (size: number) => ({ digest: digestOf(`${size}`), size })
    const packs = packsOf([blob(100), blob(20 << 20), blob(200), ...[10, 11, 12, 13, 14, 15].map((n) => blob(n << 20))])
    expect(packs.map(({ blobs }) => blobs.map(({ offset, size }) => [offset, size]))).toEqual([
      [
        [0, 100],
        [100, 200],
        [300, 10 << 20],
        [300 + (10 << 20), 11 << 20],
        [300 + (21 << 20), 12 << 20],
        [300 + (33 << 20), 13 << 20],
        [300 + (46 << 20), 14 << 20],
      ],
      [[0, 20 << 20]],
      [[0, 15 << 20]],
    ])
  })

  it('reads what the branch below has written, and writes only its own', async () => {
    await using it = await start()
    const [main, own] = [exampleCache(), exampleCache()]
    await it.save(main)
    const branch = actionsToken({ 'refs/heads/main': 1, 'refs/heads/new': 3 })
    await using importer = await it.importer(branch)
    expect((await importer.load({ signal })).documents).toHaveLength(1)
    // What is there for the branch is not sent again.
    expect(await it.save(main, branch)).toMatchObject({ sent: { blobs: 0 }, present: { blobs: 2 } })
    await it.save(own, branch)
    expect(new Set(it.actions.entries.slice(2).map(({ ref }) => ref))).toEqual(new Set(['refs/heads/new']))
    await using again = await it.importer(branch)
    expect((await again.load({ signal })).documents).toHaveLength(2)
    await using mains = await it.importer()
    const { documents } = await mains.load({ signal })
    expect(documents.map(({ records }) => records.length)).toEqual([main.document.records.length])
    await expect(it.save(own, actionsToken({ 'refs/heads/main': 1 }))).rejects.toThrow(/may only read/)
  })

  it('sends what was evicted again, under another name where the first is taken', async () => {
    await using it = await start()
    const cache = exampleCache()
    await it.save(cache)
    // Somebody began to write it, and did not finish.
    const [pack] = it.actions.entries
    pack!.finished = false
    expect(await it.save(cache)).toMatchObject({ sent: { blobs: 2 } })
    expect(it.actions.entries[2]!.key).toMatch(new RegExp(`^${pack!.key}-[0-9a-f]{8}$`))
    await using importer = await it.importer()
    await importer.load({ signal })
    for await (const _ of importer.openBlob(cache.document.records[0]!.layer!.descriptor, { signal }));
  })

  it('asks for a new address when one has ended, and only once', async () => {
    await using it = await start()
    const cache = exampleCache()
    await it.save(cache)
    await using importer = await it.importer()
    await importer.load({ signal })
    const { descriptor } = cache.document.records[0]!.layer!
    let refused = 0
    it.actions.server.fault = when(
      /^GET .*blobs/,
      (request, response) => refused++ < 1 && status(403)(request, response),
    )
    for await (const _ of importer.openBlob(descriptor, { signal }));
    expect(refused).toBe(2)
    it.actions.server.fault = when(/^GET .*blobs/, status(401))
    const asked = it.actions.server.seen.length
    const read = async () => {
      for await (const _ of importer.openBlob(descriptor, { signal }));
    }
    await expect(read()).rejects.toMatchObject({ code: 'CACHE_UNUSABLE' })
    expect(it.actions.server.seen.slice(asked).filter((line) => /DownloadURL/.test(line))).toHaveLength(1)
  })

  it('waits as it is told to, and everybody with it', async () => {
    await using it = await start()
    const times: number[] = []
    it.actions.server.fault = when(/CreateCacheEntry/, (request, response) => {
      times.push(Date.now())
      return times.length === 1 && status(429, { 'retry-after': '1' })(request, response)
    })
    const cache = manyLayers(3, 17 << 20)
    expect(await it.save(cache)).toMatchObject({ sent: { blobs: 3 } })
    expect(times.length).toBeGreaterThan(4)
  })

  it('goes on without an index that somebody has begun and not finished', async () => {
    await using it = await start()
    await it.save(exampleCache())
    const last = it.actions.newest('tsbuild-index')!
    const next = last.key.replace(/#1$/, '#2')
    it.actions.entries.push({ ...last, key: next, id: it.actions.entries.length, finished: false })
    const cache = exampleCache()
    const { client } = it.machines.next()
    const url = new URL(it.actions.server.origin)
    const service = new ActionsService({
      client,
      version: 2,
      url,
      token: MAIN,
      entryVersion: last.version,
      timeoutMs: 0,
      now: Date.now,
    })
    const place = { name: 'gha', scope: 'tsbuild', token: MAIN, service, codec: PLAIN, now: Date.now, patienceMs: 300 }
    const open =
      ({ digest }: Descriptor) =>
      () =>
        pieces(cache.contents.get(digest)!)
    expect(await actionsExporter(place).save(cache.document, open, options)).toMatchObject({ records: 6 })
    expect(it.actions.newest('tsbuild-index')!.key).toBe(last.key.replace(/#1$/, '#3'))
  })

  it.each([
    ['has ended', actionsToken({ 'refs/heads/main': 3 }, 1000), /the token has ended/],
    ['is none', 'certainly-secret', /the token is none/],
  ])('refuses a token that %s, without showing it', async (_, token, message) => {
    await using it = await start()
    await using importer = await it.importer(token)
    const error = await importer.load({ signal }).catch((reason: unknown) => reason)
    expect(String(error)).toMatch(message)
    expect(String(error)).not.toContain(token)
    expect(it.actions.server.seen).toEqual([])
  })

  it('shows neither token nor signature of what goes wrong', async () => {
    await using it = await start()
    const cache = exampleCache()
    it.actions.server.fault = when(/^PUT/, (request, response) => {
      response.writeHead(400).end(`<Error><Code>Bad</Code><Message>${request.url} ${MAIN} good</Message></Error>`)
      return true
    })
    const error = await it.save(cache).catch((reason: unknown) => reason)
    expect(String(error)).toMatch(/status 400 \(Bad: /)
    expect(String(error)).not.toMatch(/sig=good|eyJ/)
  })
})
