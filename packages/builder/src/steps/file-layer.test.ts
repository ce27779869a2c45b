/** Layers that are packed in this process: needs no root and starts no other process. */
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeTree } from '../context/fixture.test-support.ts'
import { openLocalContext } from '../context/local.ts'
import { plainCopy } from '../graph/file-op.ts'
import { TarReader } from '../layer/tar-reader.ts'
import { stream } from '../layer/testing/tar.ts'
import { openStore } from '../store/store.ts'
import { select } from './file/select.ts'
import { packFileLayer } from './file-layer.ts'
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

async function packed(change: () => void = () => {}) {
  const store = await openStore(join(base, 'state'))
  const worker = { call: async () => expect.unreachable('no worker is needed') } as unknown as WorkerClient
  const cache = new StepCache(store.records, store.blobs, async () => false, async () => {}) // biome-ignore format: one call
  const task = async () => expect.unreachable('nothing is to be fetched')
  const layers = new LayerService({ store, cache, worker, signal, onIncomplete: () => {}, task })
  const tree = openLocalContext(join(base, 'context'))
  const op = { ...plainCopy('.', '/to/'), keepOwner: false, mtime: 5 }
  const entries = await select(tree, op.selection)
  change()
  const services = { store, layers, trees: new LayerTrees(store, layers, signal) }
  const layer = { id: 'file-x', below: undefined, accounts: undefined, ops: [{ op, tree, entries }] }
  const blob = await packFileLayer(layer, services, { signal, onProgress: () => {} })
  return { blob, data: await store.blobs.read(blob.descriptor.digest) }
}

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

it('a sparse file is as large as it says, and takes hardly any room', async () => {
  makeTree(join(base, 'context'), { sparse: '' })
  truncateSync(join(base, 'context/sparse'), 64 * 1024 * 1024)
  const { blob, data } = await packed()
  expect(blob.descriptor.size).toBeLessThan(1024 * 1024)
  const reader = new TarReader(stream(gunzipSync(data), 1 << 20))
  expect(await reader.next()).toMatchObject({ path: 'to' })
  expect(await reader.next()).toMatchObject({ path: 'to/sparse', size: statSync(join(base, 'context/sparse')).size })
})
