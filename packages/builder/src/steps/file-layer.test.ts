/** Layers that are packed in this process: needs no root and starts no other process. */
import { hash, randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeTree } from '../context/fixture.test-support.ts'
import { openLocalContext } from '../context/local.ts'
import { plainCopy } from '../graph/file-op.ts'
import type { Layer } from '../graph/layer.ts'
import { type Directory, type Leaf, lookUp } from '../layer/file-tree.ts'
import { TarReader } from '../layer/tar-reader.ts'
import { stream } from '../layer/testing/tar.ts'
import type { ContentStore } from '../store/content-store.ts'
import { openStore, type Store } from '../store/store.ts'
import { digestOfContent } from '../util/content.ts'
import { contentIn, type LayerContent } from './file/layer-source.ts'
import { select } from './file/select.ts'
import { Spool } from './file/spool.ts'
import { FileLayerPacker } from './file-layer.ts'
import { LayerStack } from './layer-stack.ts'
import { LayerTrees } from './layer-trees.ts'
import { LayerService } from './layers.ts'
import { StepCache } from './step-cache.ts'
import type { WorkerClient } from './worker-api.ts'

const { signal } = new AbortController()
let base: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'file-layer-'))
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

/** @param held what storing a blob waits for @param blobs in place of the store's */
async function open(held: Promise<void> = Promise.resolve(), blobs?: ContentStore) {
  const opened = await openStore(join(base, 'state'))
  const put: ContentStore['put'] = (...blob) => held.then(() => opened.blobs.put(...blob))
  const store = { ...opened, blobs: blobs ?? { ...opened.blobs, put } } as Store
  const worker = { call: async () => expect.unreachable('no worker is needed') } as unknown as WorkerClient
  const cache = new StepCache(store.records, store.blobs, async () => false, async () => {}) // biome-ignore format: one call
  const task = async () => expect.unreachable('nothing is to be fetched')
  const layers = new LayerService({ store, cache, worker, signal, onIncomplete: () => {}, task })
  const trees = new LayerTrees(store, layers, signal)
  const packer = new FileLayerPacker({ store, layers, trees })

  /** A layer of the files of a context. */
  async function pack(context: string, below?: Directory, change: () => void = () => {}) {
    const tree = openLocalContext(join(base, context))
    const op = { ...plainCopy('.', '/to/'), keepOwner: false, mtime: 5 }
    const entries = await select(tree, op.selection)
    change()
    const layer = { id: `file-${context}`, below, accounts: undefined, ops: [{ op, tree, entries }], isBelow: true }
    return await packer.pack(layer, { signal, onProgress: () => {} })
  }

  return { store, trees, pack }
}

async function packed(change?: () => void) {
  const { store, pack } = await open()
  const blob = await (await pack('context', undefined, change)).blob
  return { blob, data: await store.blobs.read(blob.descriptor.digest) }
}

async function pathsIn(data: Buffer): Promise<string[]> {
  const reader = new TarReader(stream(gunzipSync(data)))
  const paths: string[] = []
  for (let entry = await reader.next(); entry; entry = await reader.next()) paths.push(entry.path)
  return paths
}

it('a layer can be built on before it is stored, and knows what is in it already', async () => {
  const same = { 'd/same': { text: 'x'.repeat(100_000), mtime: 7 }, 'd/empty': { text: '', mtime: 7 } }
  makeTree(join(base, 'first'), { ...same, 'd/new': { text: 'a', mtime: 7 } })
  makeTree(join(base, 'second'), { ...same, 'd/new': { text: 'b', mtime: 7 } })
  const storing = Promise.withResolvers<void>()
  const { store, trees, pack } = await open(storing.promise)
  const coming = await pack('first')
  const facts = { made: undefined, created: 1, started: 0, known: undefined, source: undefined, alone: false }
  const below = await trees.tree(LayerStack.of({ snapshot: 'file-first', coming, ...facts }))
  const second = await pack('second', below)
  expect(stored().filter((name) => name.startsWith('blobs'))).toEqual([])
  storing.resolve()
  const blobs = await Promise.all([coming.blob, second.blob])
  const paths = blobs.map(async ({ descriptor }) => pathsIn(await store.blobs.read(descriptor.digest)))
  const all = ['to', 'to/d', 'to/d/empty', 'to/d/new', 'to/d/same']
  expect(await Promise.all(paths)).toEqual([all, ['to', 'to/d', 'to/d/new']])
})

function stored(): string[] {
  return ['blobs/sha256', 'tmp', 'records'].flatMap((each) => {
    try {
      return readdirSync(join(base, 'state', each)).map((name) => `${each}/${name}`)
    } catch {
      return []
    }
  })
}

it.each<[string, (path: string) => void]>([
  ['grown', (path) => writeFileSync(path, 'more', { flag: 'a' })],
  ['cut short', (path) => truncateSync(path, 3)],
  [
    'replaced',
    (path) => {
      rmSync(path)
      writeFileSync(path, 'x'.repeat(100_000))
    },
  ],
  ['deleted', (path) => rmSync(path)],
])('a file that was %s since it was chosen is named, and nothing is stored', async (_, change) => {
  makeTree(join(base, 'context'), { 'd/a': 'A', 'd/changed': 'x'.repeat(100_000) })
  await expect(packed(() => change(join(base, 'context/d/changed')))).rejects.toMatchObject({
    code: 'CONTEXT_CHANGED',
    message: '/d/changed changed during the build',
  })
  expect(stored()).toEqual([])
})

it('a file is taken out of a layer without reading what comes after it, unless it is another one than the index says', async () => {
  makeTree(join(base, 'context'), { 'd/first': 'the first', 'd/noise': '' })
  writeFileSync(join(base, 'context/d/noise'), randomBytes(8 * 1024 * 1024))
  const first = await open()
  const known = await (await first.pack('context')).blob
  let bytes = 0
  async function* counted(pieces: AsyncIterable<Buffer>) {
    for await (const piece of pieces) {
      bytes += piece.length
      yield piece
    }
  }
  const blobs: ContentStore = {
    ...first.store.blobs,
    open: (...call) => Readable.from(counted(first.store.blobs.open(...call)), { highWaterMark: 1 }),
  }
  const { trees } = await open(undefined, blobs)
  const facts = { made: undefined, created: 1, started: 0, source: undefined, alone: false }
  const stack = (layer: Layer) => LayerStack.of({ snapshot: 'file-context', known: layer, ...facts })
  const tree = (await trees.tree(stack(known)))!
  const wanted = contentIn(lookUp(tree, 'to/d/first') as Leaf) as LayerContent

  bytes = 0
  using spool = new Spool(join(base, 'spool'), 0)
  await trees.extract([wanted], spool)
  expect(digestOfContent(wanted, 9)).toBe(hash('sha256', 'the first'))
  expect(bytes).toBeLessThan(known.descriptor.size / 2)

  // A blob that only says that it is that layer.
  makeTree(join(base, 'other'), { 'd/first': 'the other', 'd/noise': '' })
  const other = await (await first.pack('other')).blob
  const lying = { ...other, diffID: known.diffID }
  const forged = (await trees.tree(stack(lying)))!
  const content = contentIn(lookUp(forged, 'to/d/first') as Leaf) as LayerContent
  await expect(trees.extract([content], spool)).rejects.toMatchObject({ code: 'DIFF_ID_MISMATCH' })
})

it('a sparse file is as large as it says, and takes hardly any room', async () => {
  makeTree(join(base, 'context'), { sparse: '' })
  truncateSync(join(base, 'context/sparse'), 64 * 1024 * 1024)
  const { blob, data } = await packed()
  expect(blob.descriptor.size).toBeLessThan(1024 * 1024)
  const reader = new TarReader(stream(gunzipSync(data), 1 << 20))
  expect(await reader.next()).toMatchObject({ path: 'to' })
  expect(await reader.next()).toMatchObject({ path: 'to/sparse', size: statSync(join(base, 'context/sparse')).size })
})
