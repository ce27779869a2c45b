/** What every backend of shared caches has to do, as tests to be run for each. */
import { createHash, randomBytes } from 'node:crypto'
import { type Descriptor, digestOf, mediaTypes, type OpenContent } from '@tsbuild/registry-client'
import { describe, expect, it } from 'vitest'
import type { CacheExporter, CacheImporter } from './backend.ts'
import { type CacheDocument, type CacheRecord, EMPTY_DOCUMENT, mergeDocuments, serializeDocument } from './document.ts'
import { chunkBlobs, type SharedMount } from './mounts.ts'

/** One place that a cache is kept in. */
export interface BackendSubject extends AsyncDisposable {
  /** Each call is another machine's. */
  importer(): Promise<CacheImporter>
  exporter(): Promise<CacheExporter>
  /** Spoils a layer in the place itself. */
  spoil(descriptor: Descriptor, how: Damage): Promise<void>
  /** Spoils the document. */
  spoilDocument(how: Damage): Promise<void>
  /** What goes wrong from now on until `heal`, by name. */
  readonly faults: Readonly<Record<string, Fault>>
}

export type Damage = 'missing' | 'truncated' | 'poisoned'

export interface Fault {
  begin(): Promise<void>
  heal(): Promise<void>
  /** Neither reading nor writing can succeed; otherwise each may. */
  readonly total: boolean
}

/** A document with the content of its layers. */
export interface ExampleCache {
  readonly document: CacheDocument
  readonly contents: ReadonlyMap<string, Buffer>
}

/**
 * Describes the contract for one kind.
 *
 * @param create makes a place that so many jobs will write at the same time
 * @param writers how many are tried
 */
export function backendContract(kind: string, create: (writers: number) => Promise<BackendSubject>, writers = 8): void {
  describe(`a shared cache: ${kind}`, () => {
    it('is empty at first', async () => {
      await using subject = await create(1)
      expect(await load(subject)).toEqual({ documents: [], foreign: undefined })
    })

    it('gives back what was saved, and takes it once', async () => {
      await using subject = await create(1)
      const cache = exampleCache()
      const size = [...cache.contents.values()].reduce((sum, { length }) => sum + length, 0)
      expect(await save(subject, cache)).toEqual({
        sent: { blobs: 2, size },
        present: { blobs: 0, size: 0 },
        records: 3,
      })
      await expectThere(subject, cache)
      const open = () => expect.fail('a blob that is there was asked for')
      expect(await save(subject, cache, { open })).toEqual({
        sent: { blobs: 0, size: 0 },
        present: { blobs: 2, size },
        records: 3,
      })
      await expectThere(subject, cache)
    })

    it('adds to what is there', async () => {
      await using subject = await create(1)
      const [one, two] = [exampleCache(), exampleCache()]
      await save(subject, one)
      expect(await save(subject, two)).toMatchObject({ sent: { blobs: 2 }, records: 6 })
      await expectThere(subject, one, two)
      expect(serialized(await load(subject))).toBe(
        serializeDocument(mergeDocuments(one.document, two.document)).toString(),
      )
    })

    it(`keeps what ${writers} jobs save at the same time`, async () => {
      await using subject = await create(writers)
      const caches = Array.from({ length: writers }, () => exampleCache())
      await Promise.all(caches.map((cache) => save(subject, cache)))
      await expectThere(subject, ...caches)
    })

    it('keeps what cache mounts held, the latest of each', async () => {
      await using subject = await create(1)
      const [one, two, late] = [exampleMount('a', 1), exampleMount('b', 2), exampleMount('a', 3)]
      expect(await save(subject, one)).toMatchObject({ sent: { blobs: 3 } })
      await save(subject, late)
      expect(await save(subject, two)).toMatchObject({ sent: { blobs: 3 } })
      // What is older than what is there does not take its place.
      await save(subject, one)
      const wanted = mergeDocuments(one.document, two.document, late.document)
      expect(wanted.mounts?.map(({ created }) => created).sort()).toEqual([2, 3])
      expect(serialized(await load(subject))).toBe(serializeDocument(wanted).toString())
      await using importer = await subject.importer()
      await importer.load({ signal: new AbortController().signal })
      for (const cache of [two, late])
        for (const chunk of chunkBlobs(cache.document.mounts![0]!))
          expect(await read(importer, chunk)).toEqual(cache.contents.get(chunk.digest))
    })

    it.each<Damage>(['missing', 'truncated', 'poisoned'])('gives nothing of a blob that is %s', async (how) => {
      await using subject = await create(1)
      const cache = exampleCache()
      await save(subject, cache)
      const descriptor = bigLayer(cache)
      await subject.spoil(descriptor, how)
      await using importer = await subject.importer()
      await importer.load({ signal: new AbortController().signal })
      await expect(read(importer, descriptor)).rejects.toThrow()
      // It is not asked for by digest alone.
      await expect(read(importer, { ...descriptor, size: descriptor.size - 1 })).rejects.toThrow()
    })

    it.each<Damage>(['missing', 'truncated', 'poisoned'])(
      'uses no document that is %s, and gets over it',
      async (how) => {
        await using subject = await create(1)
        const cache = exampleCache()
        await save(subject, cache)
        await subject.spoilDocument(how)
        const found = await load(subject).catch((error: unknown) => error)
        if (found instanceof Error) expect(found).toMatchObject({ code: 'CACHE_UNUSABLE' })
        else expect(serialized(found as Loaded)).toBe(serializeDocument(EMPTY_DOCUMENT).toString())
        await save(subject, cache)
        await expectThere(subject, cache)
      },
    )

    it('takes no content that is not the blob', async () => {
      await using subject = await create(1)
      const [before, cache] = [exampleCache(), exampleCache()]
      await save(subject, before)
      for (const wrong of [(bytes: Buffer) => Buffer.concat([bytes, bytes]), (bytes: Buffer) => bytes.subarray(1)]) {
        const open = (descriptor: Descriptor) => content(wrong(cache.contents.get(descriptor.digest)!))
        await expect(save(subject, cache, { open })).rejects.toMatchObject({ code: 'CACHE_NOT_EXPORTED' })
      }
      const failing = () => () => {
        throw new Error('out of paper')
      }
      await expect(save(subject, cache, { open: failing })).rejects.toMatchObject({
        code: 'CACHE_NOT_EXPORTED',
        message: expect.stringContaining('out of paper'),
      })
      expect(serialized(await load(subject))).toBe(serializeDocument(before.document).toString())
      await save(subject, cache)
      await expectThere(subject, before, cache)
    })

    it('ends when it is told to, and leaves what was there', async () => {
      await using subject = await create(1)
      const [before, cache] = [exampleCache(), exampleCache()]
      await save(subject, before)
      const aborted = AbortSignal.abort(new Error('enough'))
      await expect(save(subject, cache, { signal: aborted })).rejects.toThrow()
      const controller = new AbortController()
      const open = (descriptor: Descriptor): OpenContent => {
        controller.abort(new Error('enough'))
        return content(cache.contents.get(descriptor.digest)!)
      }
      await expect(save(subject, cache, { open, signal: controller.signal })).rejects.toThrow('enough')
      await using importer = await subject.importer()
      await expect(importer.load({ signal: aborted })).rejects.toThrow()
      expect(serialized(await load(subject))).toBe(serializeDocument(before.document).toString())
    })

    it('tells how far it is', async () => {
      await using subject = await create(1)
      const cache = exampleCache()
      const seen = new Map<string, number>()
      await save(subject, cache, { onProgress: (item, current) => seen.set(item, current) })
      const sizes = [...cache.contents.values()].map(({ length }) => length)
      expect(Math.max(...seen.values())).toBe(Math.max(...sizes))
    })

    it('whatever fails, what was there is there', async () => {
      await using subject = await create(1)
      const before = exampleCache()
      await save(subject, before)
      for (const [name, fault] of Object.entries(subject.faults)) {
        const cache = exampleCache()
        await fault.begin()
        const [loaded] = await Promise.allSettled([load(subject)])
        const [saved] = await Promise.allSettled([save(subject, cache)])
        await fault.heal()
        if (fault.total) expect([loaded.status, saved.status], name).toEqual(['rejected', 'rejected'])
        if (loaded.status === 'rejected') expect(loaded.reason, name).toMatchObject({ code: 'CACHE_UNUSABLE' })
        if (saved.status === 'rejected') expect(saved.reason, name).toMatchObject({ code: 'CACHE_NOT_EXPORTED' })
        await expectThere(subject, before, ...(saved.status === 'fulfilled' ? [cache] : []))
      }
    })
  })
}

let made = 0

/** A RUN with a layer, one without, and a file step: of each call others. */
export function exampleCache(): ExampleCache {
  made++
  const layers = [randomBytes(300_000), Buffer.from(`layer ${made} ${randomBytes(8).toString('hex')}`)]
  const contents = new Map(layers.map((bytes) => [digestOf(bytes) as string, bytes]))
  const layer = (bytes: Buffer) => ({
    descriptor: { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(bytes), size: bytes.length },
    diffID: digestOf(`content of ${digestOf(bytes)}`),
  })
  const record = (name: string, other: Partial<CacheRecord>): CacheRecord => ({
    kind: 'run',
    key: hash(`${name} ${made}`),
    nonce: randomBytes(8).toString('hex'),
    started: 1000 + made,
    created: 2000 + made,
    layer: undefined,
    ...other,
  })
  const records = [
    record('run', { layer: layer(layers[0]!) }),
    record('known', {}),
    record('file', { kind: 'file', nonce: undefined, layer: layer(layers[1]!) }),
  ]
  return { document: { records, fingerprints: new Map([[hash(`files ${made}`), `sha256:${hash('x')}`]]) }, contents }
}

/** The same with a cache mount of one chunk. */
function exampleMount(id: string, created: number): ExampleCache {
  const { document, contents } = exampleCache()
  const chunk = randomBytes(5000)
  const mount: SharedMount = {
    key: hash(id).slice(0, 40),
    id,
    created,
    diffID: digestOf(`archive ${id}`),
    size: 10_000,
    chunks: [{ digest: digestOf(chunk), size: chunk.length }],
  }
  return { document: { ...document, mounts: [mount] }, contents: new Map([...contents, [digestOf(chunk), chunk]]) }
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function bigLayer({ document }: ExampleCache): Descriptor {
  return document.records[0]!.layer!.descriptor
}

type Loaded = Awaited<ReturnType<CacheImporter['load']>>

async function load(subject: BackendSubject): Promise<Loaded> {
  await using importer = await subject.importer()
  return await importer.load({ signal: new AbortController().signal })
}

/** Saves as one job would. */
export async function save(
  subject: Pick<BackendSubject, 'exporter'>,
  cache: ExampleCache,
  options: {
    readonly open?: (descriptor: Descriptor) => OpenContent
    readonly signal?: AbortSignal
    readonly onProgress?: (item: string, current: number) => void
  } = {},
) {
  await using exporter = await subject.exporter()
  const open = options.open ?? ((descriptor: Descriptor) => content(cache.contents.get(descriptor.digest)!))
  const { signal = new AbortController().signal, onProgress = () => {} } = options
  return await exporter.save(cache.document, open, { signal, onProgress, mountFrom: [] })
}

function content(bytes: Buffer): OpenContent {
  return async function* (offset) {
    for (let at = offset; at < bytes.length; at += 64 << 10) yield bytes.subarray(at, at + (64 << 10))
  }
}

function serialized({ documents }: Loaded): string {
  return serializeDocument(mergeDocuments(...documents)).toString()
}

async function expectThere(subject: BackendSubject, ...caches: readonly ExampleCache[]): Promise<void> {
  await using importer = await subject.importer()
  const { documents } = await importer.load({ signal: new AbortController().signal })
  const { records, fingerprints } = mergeDocuments(...documents)
  for (const cache of caches) {
    expect(records).toEqual(expect.arrayContaining([...cache.document.records]))
    for (const [key, digest] of cache.document.fingerprints) expect(fingerprints.get(key)).toBe(digest)
    for (const { layer } of cache.document.records)
      if (layer !== undefined)
        expect((await read(importer, layer.descriptor)).equals(cache.contents.get(layer.descriptor.digest)!)).toBe(true)
  }
}

async function read(importer: CacheImporter, descriptor: Descriptor): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of importer.openBlob(descriptor, {})) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
