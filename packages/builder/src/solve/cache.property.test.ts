/**
 * What solving gives is a function of the graph and its sources, not of what earlier builds left: random graphs, solved one
 * after the other with one cache and again with an empty one, on a worker whose root filesystems are tables. The end-to-end
 * tests have the same property with real ones; here thousands of builds take seconds.
 *
 * Machines share a cache, which loses and damages layers. What a RUN gives may be another thing each time: every layer of
 * a result has to lie on the very files that it was made on, wherever that was.
 *
 * TSBUILD_CACHE_CASES asks for more cases from a random seed, TSBUILD_CACHE_SEED repeats them.
 */
import { type Descriptor, digestOf, mediaTypes } from '@tsbuild/registry-client'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { CacheImporter } from '../cache/backend.ts'
import { type CacheDocument, EMPTY_DOCUMENT, mergeDocuments } from '../cache/document.ts'
import { SharedCaches } from '../cache/import.ts'
import { plainCopy } from '../graph/file-op.ts'
import { type FileStep, type ImageStep, inputsOf, type RootfsStep, type RunStep, type Step } from '../graph/step.ts'
import { fileHandler } from '../steps/file-step.ts'
import { imageHandler } from '../steps/image.ts'
import { isAbsent } from '../steps/layer-stack.ts'
import { LayerService } from '../steps/layers.ts'
import { runHandler } from '../steps/run-step.ts'
import { StepCache } from '../steps/step-cache.ts'
import type { WorkerClient, WorkerOperations } from '../steps/worker-api.ts'
import { hasCode } from '../util/has-code.ts'
import { type Handlers, Solver } from './solve.ts'

type Files = Map<string, string>

/** All files in one text. */
function textOf(files: Files): string {
  return [...files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map((file) => file.join())
    .join(';')
}

let nonces = 0

/** What a RUN has seen when it was run, by the snapshot that it gave. */
const seenBy = new Map<string, { readonly below: string; readonly mounted: string | undefined }>()

/** A cache that machines share. */
class Cloud {
  document = EMPTY_DOCUMENT
  readonly blobs = new Map<string, Buffer>()

  importer(): CacheImporter {
    const { document, blobs } = this
    return {
      name: 'cloud',
      repository: undefined,
      load: async () => ({ documents: [document], foreign: undefined }),
      async *openBlob({ digest }) {
        const content = blobs.get(digest)
        if (content === undefined) throw new Error('it is gone')
        yield content
      },
      async [Symbol.asyncDispose]() {},
    }
  }

  /** Adds what a machine knows. */
  save(document: CacheDocument, blobs: ReadonlyMap<string, Buffer>): void {
    for (const [digest, content] of blobs) this.blobs.set(digest, content)
    this.document = mergeDocuments(this.document, document)
  }

  /** Loses or damages some layers. */
  disturb(every: number): void {
    for (const [i, [digest, content]] of [...this.blobs].entries()) {
      if (i % every !== 1) continue
      if (i % 2 === 0) this.blobs.delete(digest)
      else this.blobs.set(digest, Buffer.concat([content.subarray(0, 600), Buffer.alloc(content.length - 600, 'x')]))
    }
  }
}

/** A layer with one file, which holds what the layer changes. */
function tarOf(files: Files): Buffer {
  const content = Buffer.from(JSON.stringify([...files]))
  const header = Buffer.alloc(512)
  header.write('files')
  header.write('0000644\0', 100)
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('        0', 148)
  header.write('ustar\x0000', 257)
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  )
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512), Buffer.alloc(1024)])
}

function filesOf(tar: Buffer): Files {
  const size = Number.parseInt(tar.toString('latin1', 124, 135), 8)
  return new Map(JSON.parse(tar.toString('utf8', 512, 512 + size)) as [string, string][])
}

/** A store and its worker: every snapshot is what it changed, a path's content or '' where it is gone. */
class Machine {
  readonly snapshots = new Map<string, Files>()
  readonly records = new Map<string, unknown>()
  readonly blobs = new Map<string, Buffer>()

  flat(stack: readonly string[]): Files {
    const files: Files = new Map()
    for (const id of stack) for (const [path, text] of this.snapshots.get(id)!) files.set(path, text)
    return files
  }

  readonly worker: WorkerClient = {
    call: async (operation, params) => (await this.#work(operation, params as never)) as never,
  }

  async #work(operation: string, params: never): Promise<unknown> {
    if (operation === 'snapshot.has')
      return (params as WorkerOperations['snapshot.has']['params']).ids.map((id) => this.snapshots.has(id))
    if (operation === 'files.fingerprint') {
      const { stack, selection } = params as WorkerOperations['files.fingerprint']['params']
      return `content ${this.flat(stack).get(selection.patterns[0]!)}`
    }
    if (operation === 'files.apply') {
      const { id, ops, accounts, stack } = params as WorkerOperations['files.apply']['params']
      const made: Files = new Map()
      for (const { op, source } of ops) {
        if (op.op === 'mkdir') continue
        const from = source?.type === 'stack' ? this.flat(source.stack) : undefined
        const text = op.op === 'copy' ? from?.get(op.selection.patterns[0]!) : 'data' in op.content && op.content.data
        const owner = op.chown && (this.flat(accounts ?? stack).get('/etc/passwd') ?? 'nobody')
        made.set(op.dest, `${text} ${owner ?? ''} ${op.chmod ?? ''} ${op.mtime ?? ''}`)
      }
      // As the snapshotters: what exists stays.
      if (!this.snapshots.has(id)) this.snapshots.set(id, made)
      return undefined
    }
    if (operation === 'layer.unpack') {
      const { id, blob } = params as WorkerOperations['layer.unpack']['params']
      this.snapshots.set(id, filesOf(this.blobs.get(blob)!))
      return undefined
    }
    const { args, stack, id, mounts, mtime } = params as WorkerOperations['run']['params']
    const [command, from, to] = args as [string, string, string]
    const seen = this.flat(stack)
    const bind = mounts.find((mount) => mount.type === 'bind')
    const other = bind && this.flat(bind.stack)
    seenBy.set(id!, { below: textOf(seen), mounted: other && textOf(other) })
    const made = command === 'list' ? textOf(seen) : command === 'copy' ? seen.get(from) : from
    const text = command === 'random' ? id : (other?.get(from) ?? made)
    this.snapshots.set(id!, new Map([[to, command === 'remove' ? '' : `${text} ${mtime ?? ''}`]]))
    return { status: 'succeeded' }
  }

  solver(shared: SharedCaches | undefined): { solver: Solver; layers: LayerService; cache: StepCache } {
    const records = {
      get: async (kind: string, key: string) => this.records.get(`${kind} ${key}`),
      put: async (kind: string, key: string, value: unknown) => void this.records.set(`${kind} ${key}`, value),
    }
    const temporary = async () => ({ path: '/none', [Symbol.asyncDispose]: async () => {} })
    const blobs = {
      temporary,
      size: async (digest: string) => this.blobs.get(digest)?.length,
      has: async (digest: string) => this.blobs.has(digest),
      path: (digest: string) => digest,
      verify: async () => true,
      async *open(digest: string) {
        yield stored.get(digest)!
      },
      async put(content: AsyncIterable<Buffer>, { digest }: Descriptor) {
        const bytes = Buffer.concat(await Array.fromAsync(content))
        if (digestOf(bytes) !== digest) throw new Error('it is another one')
        stored.set(digest, bytes)
      },
    }
    const stored = this.blobs
    const store = { blobs } as never
    const cache = new StepCache(
      records as never,
      blobs as never,
      async (id) => this.snapshots.has(id),
      async () => {},
      shared,
    )
    const signal = new AbortController().signal
    const common = { store, cache, worker: this.worker, signal, now: () => 5, nonce: () => String(++nonces) }
    const task = async (_: string, work: (report: () => void) => Promise<void>) => await work(() => {})
    const layers = new LayerService({ ...common, onIncomplete: () => {}, task } as never)
    const handlers = {
      image: imageHandler(() => undefined as never),
      file: fileHandler({
        ...common,
        layers,
        trees: undefined as never,
        needsFiles: () => true,
        isBelow: () => true,
        statCache: { get: () => undefined, set: () => {} },
        lacking: undefined,
      }),
      run: runHandler({ ...common, layers, isolatedNetwork: false, dns: [], resources: {}, retries: 0 } as never),
    }
    let id = 0
    const solver = new Solver({
      ...common,
      handlers: handlers as unknown as Handlers,
      emit: () => {},
      concurrency: 3,
      nextId: () => String(++id),
    })
    return { solver, layers, cache }
  }

  /** What it knows after a build, with layers of those steps that have some here and that are wanted. */
  async share(cloud: Cloud, { solver, cache }: ReturnType<Machine['solver']>, mode: 'min' | 'max'): Promise<void> {
    const records: CacheDocument['records'][number][] = []
    const blobs = new Map<string, Buffer>()
    for (const [i, { step, result }] of (await solver.rootfses()).entries()) {
      const { made, snapshot } = result.stack.top!
      if (step.kind === 'image' || made === undefined) continue
      const files = mode === 'max' || i % 2 === 0 ? this.snapshots.get(snapshot) : undefined
      const tar = files && tarOf(files)
      const digest = tar && digestOf(tar)
      if (tar) blobs.set(digest!, tar)
      const layer = tar && { descriptor: { mediaType: mediaTypes.ociLayer, digest: digest!, size: tar.length }, diffID: digest! } // biome-ignore format: plain data
      records.push({ kind: step.kind === 'run' ? 'run' : 'file', ...made, started: 1, created: nonces, layer })
    }
    cloud.save({ records, fingerprints: new Map(cache.fingerprints) }, blobs)
  }

  /** Base images are there already. */
  constructor() {
    for (const [name, who] of Object.entries({ a: 'A', b: 'B' }))
      this.snapshots.set(`chain-${name}`, new Map([['/who', who], ['/etc/passwd', who]])) // biome-ignore format: one table
  }
}

interface Line {
  readonly kind: 'write' | 'copy' | 'run' | 'mount' | 'workdir'
  readonly link: boolean
  readonly text: string
  readonly from: string
  readonly to: string
  readonly stage: number
  readonly command: 'set' | 'copy' | 'remove' | 'list' | 'random'
  readonly chown: boolean
}
interface Stage {
  readonly base: 'a' | 'b' | 'scratch' | number
  readonly noCache: boolean
  readonly lines: readonly Line[]
}
interface Build {
  readonly stages: readonly Stage[]
  readonly epoch: number | undefined
  readonly lost: number
  /** The machine that does it, and which layers the shared cache loses or damages before. */
  readonly machine: number
  readonly damaged: number
  readonly mode: 'min' | 'max'
}

const path = fc.constantFrom('/who', '/x', '/y', '/etc/passwd')
const line: fc.Arbitrary<Line> = fc.record({
  kind: fc.constantFrom('write', 'copy', 'run', 'run', 'mount', 'workdir'),
  link: fc.boolean(),
  text: fc.constantFrom('1', '2'),
  from: path,
  to: path,
  stage: fc.nat(3),
  command: fc.constantFrom('set', 'copy', 'remove', 'list', 'random'),
  chown: fc.boolean(),
})
const stage: fc.Arbitrary<Stage> = fc.record({
  base: fc.oneof(fc.constantFrom('a' as const, 'b' as const, 'scratch' as const), fc.nat(3)),
  noCache: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  lines: fc.array(line, { maxLength: 6 }),
})
const build: fc.Arbitrary<Build> = fc.record({
  stages: fc.array(stage, { minLength: 1, maxLength: 4 }),
  epoch: fc.constantFrom(undefined, 1, 2),
  lost: fc.constantFrom(0, 0, 0, 2, 3),
  machine: fc.constantFrom(0, 0, 1),
  damaged: fc.constantFrom(0, 0, 0, 3, 5),
  mode: fc.constantFrom('min', 'max'),
})

/** The next build is the one before with one thing changed, or another one. */
const builds = fc
  .tuple(build, fc.array(fc.tuple(fc.nat(3), fc.nat(6), line, build), { minLength: 1, maxLength: 5 }))
  .map(([first, changes]) => {
    const all = [first]
    for (const [at, index, added, other] of changes) {
      const before = all.at(-1)!
      const stages = before.stages.map((s, i) => {
        if (i !== at % before.stages.length) return s
        if (index === 6) return { ...s, base: other.stages[0]!.base }
        return { ...s, lines: s.lines.toSpliced(index % (s.lines.length + 1), index % 2, added) }
      })
      const { lost, machine, damaged, mode } = other
      const epoch = index === 4 ? other.epoch : before.epoch
      all.push(index === 5 ? other : { stages, epoch, lost, machine, damaged, mode })
    }
    return all
  })

/** The root filesystem of each stage. */
function graphOf({ stages, epoch }: Build): (RootfsStep | undefined)[] {
  const tops: (RootfsStep | undefined)[] = []
  for (const { base, noCache, lines } of stages) {
    const earlier = (n: number) => (tops.length === 0 ? undefined : tops[n % tops.length])
    let top = typeof base === 'number' ? earlier(base) : base === 'scratch' ? undefined : image(base)
    for (const each of lines) top = stepOf(each, top, earlier(each.stage), noCache, epoch)
    tops.push(top)
  }
  return tops
}

function image(name: string): ImageStep {
  const layer = { descriptor: {} as never, diffID: `sha256:${name}` }
  return { kind: 'image', name, at: undefined, noCache: false, ref: name, platform: {} as never, manifest: {} as never, layers: [layer] } // biome-ignore format: plain data
}

const NOBODY = { at: undefined, name: 'step' }

function stepOf(
  { kind, link, text, from, to, command, chown }: Line,
  parent: RootfsStep | undefined,
  other: RootfsStep | undefined,
  noCache: boolean,
  mtime: number | undefined,
): RootfsStep {
  const owner = chown ? { user: 'user', group: undefined } : undefined
  if (kind === 'run' || kind === 'mount') {
    const mounts =
      kind === 'mount' && other ? [{ type: 'bind', from: other, source: '/', target: '/m', readonly: true }] : []
    const args = [command, command === 'copy' || kind === 'mount' ? from : text, to]
    return { ...NOBODY, kind: 'run', noCache, parent, args, env: [], proxyEnv: [], user: '', cwd: '/', mounts, mtime, ulimits: [], extraHosts: [], network: 'default', security: 'sandbox' } as unknown as RunStep // biome-ignore format: plain data
  }
  const common = { dest: to, link, chown: owner, mtime }
  const ops: FileStep['ops'] =
    kind === 'workdir'
      ? [{ op: { op: 'mkdir', path: to, mode: 0o755, owner, mtime }, from: undefined }]
      : kind === 'copy'
        ? [{ op: { ...plainCopy(from, to), ...common }, from: other }]
        : [{ op: { op: 'write', name: 'f', content: { data: text }, mode: 0o644, chmod: undefined, unpack: 'never', ...common }, from: undefined }] // biome-ignore format: plain data
  return { ...NOBODY, kind: 'file', noCache, parent, link: link && kind !== 'workdir', ops }
}

/** @param cloud what the machine shares with others */
async function outcome(build: Build, machine: Machine, cloud?: Cloud): Promise<unknown> {
  const tops = graphOf(build)
  const task = async <T>(_: string, work: () => Promise<T>) => await work()
  const signal = new AbortController().signal
  const shared =
    cloud &&
    new SharedCaches([{ importer: cloud.importer(), mounts: true }], { signal, task, warn: expect.unreachable })
  for (;;) {
    const opened = machine.solver(shared)
    try {
      const results = await opened.solver.solve(tops)
      for (const { stack } of results) await opened.layers.snapshots(stack)
      await expectCoherent(machine, opened)
      if (cloud) await machine.share(cloud, opened, build.mode)
      return results.map(({ stack }, i) => {
        let steps = 0
        for (let step = tops[i]; step !== undefined; step = step.kind === 'image' ? undefined : step.parent) steps++
        expect(stack, 'one layer for each step').toHaveLength(steps)
        return textOf(machine.flat(stack.snapshots())).replaceAll(/run-[0-9a-f]{64}/g, 'random')
      })
    } catch (error) {
      if (!hasCode(error, 'CACHE_LAYER_LOST')) throw error
    }
  }
}

/** Every RUN's layer lies on the files that the RUN has seen, and every copy has the content of its source. */
async function expectCoherent(machine: Machine, { solver, layers }: ReturnType<Machine['solver']>): Promise<void> {
  const all = new Map((await solver.rootfses()).map(({ step, result }) => [step, result.stack]))
  const flat = async (step: Step | undefined) => {
    const stack = step === undefined ? undefined : all.get(step)
    return stack === undefined ? new Map<string, string>() : machine.flat(await layers.snapshots(stack))
  }
  for (const [step, stack] of all) {
    // Of those that are known by name only nobody wants the files.
    if (stack.layers().some(isAbsent)) continue
    const { snapshot } = stack.top!
    const needed = inputsOf(step).flatMap((input) => all.get(input)?.layers() ?? [])
    if (needed.some(isAbsent)) continue
    await layers.snapshots(stack)
    if (step.kind === 'run') {
      const bind = step.mounts.find((mount) => mount.type === 'bind')
      const mounted = bind && textOf(await flat(bind.from))
      expect({ below: textOf(await flat(step.parent)), mounted }).toEqual(seenBy.get(snapshot))
    } else if (step.kind === 'file') {
      for (const { op, from } of step.ops) {
        if (op.op !== 'copy' || from === undefined) continue
        const text = `${(await flat(from)).get(op.selection.patterns[0]!)} `
        expect(machine.snapshots.get(snapshot)!.get(op.dest)?.slice(0, text.length)).toBe(text)
      }
    }
  }
}

const CASES = Number(process.env.TSBUILD_CACHE_CASES ?? 0) * 100 || 200
const SEED = Number(process.env.TSBUILD_CACHE_SEED ?? (process.env.TSBUILD_CACHE_CASES ? Date.now() % 2 ** 31 : 1))

it(`gives with any cache what it gives without (${CASES} cases from seed ${SEED})`, async () => {
  const property = fc.asyncProperty(builds, async (all) => {
    const machines = [new Machine(), new Machine()]
    const cloud = new Cloud()
    for (const build of all) {
      const warm = machines[build.machine]!
      if (build.damaged > 0) cloud.disturb(build.damaged)
      const ids = [...warm.snapshots.keys()].filter((id) => !id.startsWith('chain-'))
      for (const [i, id] of ids.entries()) if (build.lost > 0 && i % build.lost === 1) warm.snapshots.delete(id)
      expect(await outcome(build, warm, cloud)).toEqual(await outcome(build, new Machine()))
    }
  })
  await fc.assert(property, { numRuns: CASES, seed: SEED })
}, 600_000)
