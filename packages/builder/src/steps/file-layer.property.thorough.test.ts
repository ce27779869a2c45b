/**
 * A layer packed from its sources is, byte by byte, the one that the worker writes into a root filesystem and packs from
 * there: random file operations on random layers, done both ways.
 *
 * TSBUILD_LAYER_CASES asks for more cases from a random seed, TSBUILD_LAYER_SEED repeats them.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Fixture, makeTree } from '../context/fixture.test-support.ts'
import { openLocalContext } from '../context/local.ts'
import { BuildError } from '../errors.ts'
import { type CopyOp, type FileOp, plainCopy } from '../graph/file-op.ts'
import type { FileStep, RootfsStep } from '../graph/step.ts'
import { type PackedEntry, packEntries } from '../layer/pack.ts'
import type { TarEntry } from '../layer/tar-header.ts'
import { TarReader } from '../layer/tar-reader.ts'
import { stream } from '../layer/testing/tar.ts'
import { openStore } from '../store/store.ts'
import { type FileServices, fileHandler } from './file-step.ts'
import { LayerStack } from './layer-stack.ts'
import { LayerTrees } from './layer-trees.ts'
import { LayerService } from './layers.ts'
import { StepCache } from './step-cache.ts'
import type { RootfsResult, StackLayer, StepResult, Visit } from './types.ts'
import { LazyWorker } from './worker-client.ts'

const CASES = Number(process.env.TSBUILD_LAYER_CASES ?? 60)
const SEED = Number(process.env.TSBUILD_LAYER_SEED ?? (process.env.TSBUILD_LAYER_CASES ? Date.now() % 2 ** 31 : 1))
const isRoot = process.getuid?.() === 0
const EPOCH = 1_000_000_000
const { signal } = new AbortController()

let base: string
beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'file-layer-'))
})
afterAll(() => rmSync(base, { recursive: true, force: true }))

// Few names, so that they meet.
const name = fc.constantFrom('a', 'b', 'c', 'é', '\udcff')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
/** As a Dockerfile can say it. */
const written = fc
  .array(fc.constantFrom('a', 'b', 'c', 'é'), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join('/'))
const mode = (directory: boolean) =>
  fc.constantFrom(...(directory ? [0o755, 0o755, 0o700, 0o2775, 0o1777] : [0o644, 0o755, 0o4755, 0o600]))
const id = fc.constantFrom(0, 0, 0, 7, 100_000)
const mtime = fc.constantFrom(5, 77, EPOCH, EPOCH + 9)
const target = fc.oneof(
  path,
  path.map((to) => `/${to}`),
  path.map((to) => `../${to}`),
  fc.constant('..'),
)
const xattrs = fc.constantFrom(undefined, undefined, undefined, [['user.a', Buffer.from('1')] as const])
const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex')

/** An entry of a layer or an archive. */
const entry: fc.Arbitrary<PackedEntry> = fc
  .record({ path, uid: id, gid: id, mtime, xattrs, text: fc.constantFrom('', 'x', 'y', 'xx'), target })
  .chain(({ path: at, text, target: linkname, xattrs: set, ...rest }) => {
    const common = { path: at, size: 0, ...rest }
    const file = mode(false).map((bits): PackedEntry => {
      const capable = bits === 0o755 && text === 'xx' ? [['security.capability', CAPABILITY] as const] : set
      return { entry: { ...common, type: 'file', mode: bits, size: text.length, xattrs: capable }, content: Buffer.from(text) } // biome-ignore format: one entry
    })
    const directory = mode(true).map((bits): PackedEntry => ({ entry: { ...common, type: 'directory', mode: bits, xattrs: set } })) // biome-ignore format: one entry
    const link = fc.constant<PackedEntry>({ entry: { ...common, type: 'symlink', mode: 0o777, linkname } })
    const hard = path.map((to): PackedEntry => ({ entry: { ...common, type: 'hardlink', mode: 0o644, linkname: to } }))
    const special = fc.constantFrom<PackedEntry>(
      { entry: { ...common, type: 'char', mode: 0o600, device: { major: 1, minor: 3 } } },
      { entry: { ...common, type: 'fifo', mode: 0o600 } },
    )
    return fc.oneof(
      { weight: 5, arbitrary: file },
      { weight: 5, arbitrary: directory },
      { weight: 2, arbitrary: link },
      { weight: 1, arbitrary: hard },
      { weight: 1, arbitrary: special },
    )
  })

const whiteout: fc.Arbitrary<PackedEntry> = fc.tuple(path, fc.boolean()).map(([at, opaque]) => {
  const slash = at.lastIndexOf('/') + 1
  const text = opaque ? `${at}/.wh..wh..opq` : `${at.slice(0, slash)}.wh.${at.slice(slash)}`
  return { entry: { path: text, type: 'file', mode: 0, uid: 0, gid: 0, size: 0, mtime: 0 } }
})

/** A layer names the directories that it needs, as all do: those that are made in passing have the time of the unpacking. */
function withParents(entries: readonly PackedEntry[]): PackedEntry[] {
  const seen = new Set<string>()
  return entries.flatMap((each) => {
    const parts = each.entry.path.split('/').slice(0, -1)
    const parents = parts.map((_, i) => parts.slice(0, i + 1).join('/')).filter((above) => !seen.has(above))
    for (const above of parents) seen.add(above)
    const directory = { type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 11 } as const
    return [...parents.map((above): PackedEntry => ({ entry: { ...directory, path: above } })), each]
  })
}

const layer = fc
  .array(fc.oneof({ weight: 8, arbitrary: entry }, { weight: 1, arbitrary: whiteout }), { maxLength: 8 })
  .map(withParents)

const owner = fc.constantFrom(undefined, undefined, { user: '3', group: undefined }, { user: 'me', group: 'us' })
const chmod = fc.constantFrom(undefined, undefined, undefined, '2750', 'u+s,go=rX')
const dest = fc.tuple(written, fc.boolean()).map(([at, slash]) => `/${at}${slash ? '/' : ''}`)

type Part = { readonly op: FileOp; readonly from: 'context' | 'rootfs' | undefined }

const copy = (from: 'context' | 'rootfs', source: fc.Arbitrary<string>): fc.Arbitrary<Part> =>
  fc
    .record({ source, dest, chown: owner, chmod, parents: fc.boolean(), unpack: fc.constantFrom('never', 'auto') })
    .map(({ source: pattern, parents, unpack, ...rest }) => {
      const selection = { patterns: [pattern], parents: parents && pattern.includes('/'), exclude: [] }
      const kept = from === 'rootfs' ? { keepOwner: true } : { keepOwner: false, unpack: unpack as CopyOp['unpack'] }
      return { op: { ...plainCopy(pattern, rest.dest), ...kept, ...rest, selection, mtime: EPOCH }, from }
    })

const part: fc.Arbitrary<Part> = fc.oneof(
  { weight: 5, arbitrary: copy('context', fc.constantFrom('d', 'd/s', 'f', 'g', 'l', '*', 'd/*', 't.tar', '.')) },
  { weight: 4, arbitrary: copy('rootfs', fc.oneof(written, fc.constant('/'), fc.constant('a/*'))) },
  {
    weight: 1,
    arbitrary: fc.record({ dest, chown: owner, chmod }).map((rest): Part => {
      const text = { name: 'h', content: { data: 'text' }, mode: 0o644, link: false, unpack: 'never', mtime: EPOCH }
      return { op: { op: 'write', ...text, ...rest } as FileOp, from: undefined }
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(dest, owner)
      .map(([at, who]): Part => ({ op: { op: 'mkdir', path: at, mode: 0o755, owner: who, mtime: EPOCH }, from: undefined })), // biome-ignore format: one operation
  },
)

const CONTEXT: Fixture = {
  f: { text: 'x', mtime: 5 },
  g: { text: 'xx', mode: 0o4755, mtime: EPOCH },
  l: { link: 'd' },
  'd/a': { text: 'x', mtime: 77 },
  'd/b': { hard: 'd/a' },
  'd/c': { link: '../a' },
  'd/s/a': { text: 'yyyy', mtime: EPOCH + 9 },
  'd/s/\udcff': '',
  'd/s/': { mode: 0o1777, mtime: 77 },
  'd/': { mode: 0o700, mtime: 5 },
}

const accounts: PackedEntry[] = ['etc/passwd', 'etc/group'].map((at) => {
  const text = at.endsWith('passwd') ? 'me:x:1000:1001::/:\n' : 'us:x:1002:\n'
  const common = { mode: 0o644, uid: 0, gid: 0, mtime: 5 }
  return { entry: { ...common, path: at, type: 'file', size: text.length }, content: Buffer.from(text) }
})

async function entriesIn(blob: Buffer): Promise<string[]> {
  const reader = new TarReader(stream(gunzipSync(blob)))
  const found: TarEntry[] = []
  for (let each = await reader.next(); each; each = await reader.next()) found.push(each)
  return found.map((each) => JSON.stringify(each))
}

it.skipIf(!isRoot)(
  `the same layer both ways (${CASES} cases from seed ${SEED}) (needs root)`,
  async () => {
    const root = join(base, 'state')
    const { store } = await openStore(root).then((opened) => ({ store: opened }))
    await using worker = new LazyWorker({ root, isolation: 'auto', ociRuntime: undefined })
    let count = 0

    async function blobOf(entries: readonly PackedEntry[]): Promise<StackLayer> {
      const number = ++count
      const out = join(base, `layer-${number}`)
      const { mediaType, digest, size, diffID } = await packEntries(entries, { compression: 'gzip' }, out)
      await store.blobs.adopt(out, { digest, size })
      const known = { descriptor: { mediaType, digest, size }, diffID }
      return {
        snapshot: `base-${number}`,
        created: undefined,
        started: undefined,
        known,
        made: undefined,
        source: undefined,
        alone: false,
      }
    }

    async function rootfs(layers: readonly (readonly PackedEntry[])[]): Promise<RootfsResult> {
      const stack = LayerStack.of(...(await Promise.all(layers.map(blobOf))))
      return { kind: 'rootfs', identity: String(++count), stack }
    }

    /**
     * What comes of the operations of one or two steps, the second on a layer that is still being packed: each layer's
     * entries and digest, or an error.
     */
    async function outcome(way: 'files' | 'index', steps: readonly (readonly Part[])[], link: boolean, inputs: Inputs) {
      const records = { get: async () => undefined, put: async () => {} } as never
      const cache = new StepCache(records, store.blobs, async () => false, async () => {}) // biome-ignore format: one call
      const task = async () => expect.unreachable('nothing is to be fetched')
      const layers = new LayerService({
        store,
        cache,
        worker,
        signal,
        onIncomplete: () => {},
        task,
      })
      const services: FileServices = {
        ...{ store, cache, layers, worker },
        trees: new LayerTrees(store, layers, signal),
        needsFiles: () => way === 'files',
        isBelow: () => true,
        statCache: { get: () => undefined, set: () => {} },
        lacking: undefined,
        now: Date.now,
        nonce: () => '',
      }
      const sources = { context: { kind: 'context' }, rootfs: { kind: 'image' } } as unknown as Record<
        string,
        RootfsStep
      >
      let parent = { kind: 'image' } as RootfsStep
      const results = new Map<unknown, StepResult>([
        [parent, inputs.below],
        [sources.rootfs, inputs.rootfs],
        [sources.context, { kind: 'tree', tree: openLocalContext(inputs.context) }],
      ])
      const handler = fileHandler(services)
      const keys: unknown[] = []
      const made: LayerStack[] = []
      try {
        for (const parts of steps) {
          const ops = parts.map(({ op, from }) => ({ op: { ...op, link }, from: from && sources[from] }))
          const step = { kind: 'file', name: '', at: undefined, noCache: true, parent, link, ops } as FileStep
          const visit = { step, signal, input: (of: unknown) => results.get(of)!, progress: () => {}, log: () => {}, vertex: {} } as unknown as Visit<FileStep> // biome-ignore format: one object
          // The identity of what is below has a number of its own.
          const key = await handler.key(visit)
          keys.push(made.length > 0 || key)
          const result = (await handler.run(visit, String(++count))) as RootfsResult
          expect(result.stack.top!.coming === undefined).toBe(way === 'files')
          made.push(result.stack)
          results.set(step, result)
          parent = step
        }
        const blobs = await Promise.all(made.map((stack) => layers.blob(stack)))
        const digests = blobs.map(({ descriptor }) => descriptor.digest)
        return { keys, digests, entries: await Promise.all(digests.map(async (each) => entriesIn(await store.blobs.read(each)))) } // biome-ignore format: one object
      } catch (error) {
        if (!(error instanceof BuildError)) throw error
        return { error: `${error.code}: ${error.message}` }
      }
    }

    interface Inputs {
      readonly below: RootfsResult
      readonly rootfs: RootfsResult
      readonly context: string
    }

    const context = makeTree(join(base, 'context'), CONTEXT)
    const property = fc.asyncProperty(
      fc.array(layer, { maxLength: 3 }),
      fc.array(layer, { minLength: 1, maxLength: 2 }),
      fc.array(part, { minLength: 1, maxLength: 3 }),
      fc.array(entry, { maxLength: 6 }),
      fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
      async (layersBelow, layersOf, parts, archived, link) => {
        const below = await rootfs([accounts, ...layersBelow])
        const source = await rootfs(layersOf)
        const archive = join(context, 't.tar')
        rmSync(archive, { force: true })
        await packEntries(archived, { compression: 'none' }, archive)
        const inputs = { below, rootfs: source, context }
        const steps = parts.length === 1 ? [parts] : [parts.slice(0, 1), parts.slice(1)]
        const byFiles = await outcome('files', steps, link, inputs)
        expect(await outcome('index', steps, link, inputs)).toEqual(byFiles)
      },
    )
    await fc.assert(property, { numRuns: CASES, seed: SEED })
  },
  600_000,
)
