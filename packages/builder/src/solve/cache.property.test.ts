/**
 * What solving gives is a function of the graph and its sources, not of what earlier builds left: random graphs, solved one
 * after the other with one cache and again with an empty one, on a worker whose root filesystems are tables. The end-to-end
 * tests have the same property with real ones; here thousands of builds take seconds.
 *
 * TSBUILD_CACHE_CASES asks for more cases from a random seed, TSBUILD_CACHE_SEED repeats them.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { plainCopy } from '../graph/file-op.ts'
import type { FileStep, ImageStep, RootfsStep, RunStep } from '../graph/step.ts'
import { fileHandler } from '../steps/file-step.ts'
import { imageHandler } from '../steps/image.ts'
import { LayerService } from '../steps/layers.ts'
import { runHandler } from '../steps/run-step.ts'
import { StepCache } from '../steps/step-cache.ts'
import type { WorkerClient, WorkerOperations } from '../steps/worker-api.ts'
import { type Handlers, Solver } from './solve.ts'

type Files = Map<string, string>

/** A store and its worker: every snapshot is what it changed, a path's content or '' where it is gone. */
class Machine {
  readonly snapshots = new Map<string, Files>()
  readonly records = new Map<string, unknown>()
  #nonces = 0

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
    const { args, stack, id, mounts, mtime } = params as WorkerOperations['run']['params']
    const [command, from, to] = args as [string, string, string]
    const seen = this.flat(stack)
    const bind = mounts.find((mount) => mount.type === 'bind')
    const mounted = bind ? this.flat(bind.stack).get(from) : undefined
    const all = [...seen].sort(([a], [b]) => (a < b ? -1 : 1)).map((file) => file.join())
    const text = command === 'list' ? all.join(';') : (mounted ?? (command === 'copy' ? seen.get(from) : from))
    this.snapshots.set(id!, new Map([[to, command === 'remove' ? '' : `${text} ${mtime ?? ''}`]]))
    return { status: 'succeeded' }
  }

  solver(): Solver {
    const records = {
      get: async (kind: string, key: string) => this.records.get(`${kind} ${key}`),
      put: async (kind: string, key: string, value: unknown) => void this.records.set(`${kind} ${key}`, value),
    }
    const temporary = async () => ({ path: '/none', [Symbol.asyncDispose]: async () => {} })
    const store = { blobs: { temporary } } as never
    const blobs = { size: async () => undefined } as never
    const cache = new StepCache(
      records as never,
      blobs,
      async (id) => this.snapshots.has(id),
      async () => {},
    )
    const signal = new AbortController().signal
    const common = { store, cache, worker: this.worker, signal, now: () => 5, nonce: () => String(++this.#nonces) }
    const task = async () => expect.unreachable('nothing is to be fetched')
    const layers = new LayerService({ ...common, onIncomplete: () => {}, task } as never)
    const handlers = {
      image: imageHandler(() => undefined as never),
      file: fileHandler({
        ...common,
        layers,
        trees: undefined as never,
        needsFiles: () => true,
        statCache: { get: () => undefined, set: () => {} },
        lacking: undefined,
      }),
      run: runHandler({ ...common, layers, isolatedNetwork: false, dns: [], resources: {}, retries: 0 } as never),
    }
    let id = 0
    return new Solver({
      ...common,
      handlers: handlers as unknown as Handlers,
      emit: () => {},
      concurrency: 3,
      nextId: () => String(++id),
    })
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
  readonly command: 'set' | 'copy' | 'remove' | 'list'
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
}

const path = fc.constantFrom('/who', '/x', '/y', '/etc/passwd')
const line: fc.Arbitrary<Line> = fc.record({
  kind: fc.constantFrom('write', 'copy', 'run', 'run', 'mount', 'workdir'),
  link: fc.boolean(),
  text: fc.constantFrom('1', '2'),
  from: path,
  to: path,
  stage: fc.nat(3),
  command: fc.constantFrom('set', 'copy', 'remove', 'list'),
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
      all.push(
        index === 5 ? other : { ...before, stages, lost: other.lost, epoch: index === 4 ? other.epoch : before.epoch },
      )
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

async function outcome(build: Build, machine: Machine): Promise<unknown> {
  const tops = graphOf(build)
  const results = await machine.solver().solve(tops)
  return results.map(({ stack }, i) => {
    let steps = 0
    for (let step = tops[i]; step !== undefined; step = step.kind === 'image' ? undefined : step.parent) steps++
    expect(stack, 'one layer for each step').toHaveLength(steps)
    return [...machine.flat(stack.snapshots())].sort(([a], [b]) => (a < b ? -1 : 1))
  })
}

const CASES = Number(process.env.TSBUILD_CACHE_CASES ?? 0) * 100 || 200
const SEED = Number(process.env.TSBUILD_CACHE_SEED ?? (process.env.TSBUILD_CACHE_CASES ? Date.now() % 2 ** 31 : 1))

it(`gives with any cache what it gives without (${CASES} cases from seed ${SEED})`, async () => {
  const property = fc.asyncProperty(builds, async (all) => {
    const warm = new Machine()
    for (const build of all) {
      const ids = [...warm.snapshots.keys()].filter((id) => !id.startsWith('chain-'))
      for (const [i, id] of ids.entries()) if (build.lost > 0 && i % build.lost === 1) warm.snapshots.delete(id)
      expect(await outcome(build, warm)).toEqual(await outcome(build, new Machine()))
    }
  })
  await fc.assert(property, { numRuns: CASES, seed: SEED })
}, 600_000)
