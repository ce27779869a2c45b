import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { BuildError } from '../errors.ts'
import type { FileStep, RunStep, Step } from '../graph/step.ts'
import type { ProgressEvent } from '../progress.ts'
import { LayerStack } from '../steps/layer-stack.ts'
import type { StepCache, StepRecord } from '../steps/step-cache.ts'
import { EMPTY_ROOTFS, type RootfsResult, type StepHandler } from '../steps/types.ts'
import { type Handlers, Solver } from './solve.ts'

const file = (name: string, ...from: FileStep[]): FileStep => ({
  kind: 'file',
  name,
  at: undefined,
  noCache: false,
  parent: undefined,
  link: false,
  ops: from.map((f) => ({ op: { op: 'mkdir', path: '/', mode: 0, owner: undefined, mtime: undefined }, from: f })),
})

/** Handlers that note what runs when; `work` decides what a step does. */
function solver(
  work: (name: string, signal: AbortSignal) => Promise<void>,
  changes: {
    concurrency?: number
    signal?: AbortSignal
    saving?: () => Promise<void>
    packing?: () => Promise<never>
  } = {},
) {
  const log: string[] = []
  const events: ProgressEvent[] = []
  const records = new Map<string, StepRecord>()
  const handler: StepHandler<FileStep> = {
    kind: 'file',
    key: async ({ step }) => ({ key: step.name.replace(/'+$/, ''), parts: [] }),
    async run({ step, signal }) {
      log.push(`+${step.name}`)
      await work(step.name, signal)
      log.push(`-${step.name}`)
      const layer = {
        snapshot: step.name,
        made: undefined,
        created: 2,
        started: 1,
        known: undefined,
        coming: changes.packing && { index: undefined, blob: changes.packing() },
        source: undefined,
        alone: false,
      }
      return { kind: 'rootfs', identity: step.name, stack: LayerStack.of(layer) }
    },
  }
  const unused: StepHandler<never> = { kind: 'run' as never, key: async () => undefined, run: async () => EMPTY_ROOTFS }
  const cache = {
    lookup: async (key: string) =>
      records.has(key) ? { ...records.get(key)!, known: undefined, source: undefined } : undefined,
    save: async (key: string, record: StepRecord) => {
      await changes.saving?.()
      records.set(key, record)
    },
  } as unknown as StepCache
  let id = 0
  const make = () =>
    new Solver({
      handlers: {
        file: handler,
        run: unused as unknown as StepHandler<RunStep>,
        image: unused,
        context: unused,
        http: unused,
        git: unused,
      } as unknown as Handlers,
      cache,
      emit: (event) => events.push(event),
      signal: changes.signal ?? new AbortController().signal,
      concurrency: changes.concurrency ?? 4,
      now: () => 0,
      nextId: () => String(++id),
    })
  return { log, events, records, make }
}

const types = (events: readonly ProgressEvent[]) => events.map((e) => e.type)

describe('solving', () => {
  it('runs inputs first, independent steps side by side, each once', async () => {
    const base = file('base')
    const [a, b] = [file('a', base), file('b', base)]
    const s = solver(() => delay(5))
    await s.make().solve([file('top', a, b), a])
    expect(s.log).toEqual(['+base', '-base', '+a', '+b', '-a', '-b', '+top', '-top'])
  })

  it("goes on while a layer is packed; a failure of that is told as the step's, and nothing is remembered", async () => {
    const packing = Promise.withResolvers<never>()
    const s = solver(
      async (name) => void (name === 'top' && packing.reject(new BuildError('CONTEXT_CHANGED', 'changed'))),
      {
        packing: () => packing.promise,
      },
    )
    const base = file('base')
    await expect(s.make().solve([file('top', base)])).rejects.toMatchObject({ code: 'CONTEXT_CHANGED', step: 'base' })
    expect(s.log).toEqual(['+base', '-base', '+top', '-top'])
    expect(s.records.size).toBe(0)
    expect(types(s.events)).not.toContain('done')
    expect(types(s.events)).toContain('failed')
  })

  it('runs equal steps of different places once', async () => {
    const s = solver(() => delay(1))
    await s.make().solve([file('same'), file("same'")])
    expect(s.log).toEqual(['+same', '-same'])
  })

  it('puts a layer that stands in several places on the stack of each place', async () => {
    const s = solver(async () => {})
    const on = (name: string, parent?: FileStep): FileStep => ({ ...file(name), parent })
    const first = on('linked', on('a'))
    const second = on("linked'", on('between', first))
    for (const round of ['run', 'cached']) {
      const [lower, upper, other] = await s.make().solve([first, second, on("linked''", on('b'))])
      const names = (result: RootfsResult | undefined) => result!.stack.snapshots()
      expect([names(lower), names(upper), names(other)], round).toEqual([
        ['a', 'linked'],
        ['a', 'linked', 'between', 'linked'],
        ['b', 'linked'],
      ])
      expect(new Set([lower, upper, other].map((result) => result!.identity)).size, round).toBe(3)
    }
    expect(s.log.filter((line) => line.startsWith('+linked'))).toHaveLength(1)
  })

  it('takes nothing that may be from the cache for a step that must run', async () => {
    const s = solver(async () => {})
    await s.make().solve([file('a')])
    await s.make().solve([file('a'), { ...file("a'"), noCache: true }, { ...file("a''"), noCache: true }])
    expect(s.log.filter((line) => line.startsWith('+'))).toEqual(['+a', "+a'"])
  })

  it('takes steps from the cache, and says so', async () => {
    const s = solver(async () => {})
    const first = s.make()
    await first.solve([file('a')])
    const second = s.make()
    const [result] = await second.solve([file('a')])
    expect(second.counts).toEqual({ total: 1, cached: 1 })
    expect(result!.stack.layers()).toMatchObject([{ snapshot: 'a' }])
    expect(types(s.events)).toEqual(['started', 'done', 'started', 'cached'])
  })

  it('does not end before results are remembered, which other steps do not wait for', async () => {
    const s = solver(async () => {}, { saving: () => delay(50) })
    await s.make().solve([file('b', file('a'))])
    expect([...s.records.keys()].sort()).toEqual(['a', 'b'])
    expect(s.log).toEqual(['+a', '-a', '+b', '-b'])
  })

  it('fails when a result cannot be remembered', async () => {
    const s = solver(async () => {}, { saving: () => Promise.reject(new Error('disk full')) })
    await expect(s.make().solve([file('a')])).rejects.toThrow('disk full')
  })

  it('does not look for steps that must run', async () => {
    const s = solver(async () => {})
    await s.make().solve([file('a')])
    await s.make().solve([{ ...file('a'), noCache: true }])
    expect(s.log).toEqual(['+a', '-a', '+a', '-a'])
  })

  it('never waits inside the limiter: a long chain needs one place only', async () => {
    let step: FileStep = file('0')
    for (let i = 1; i < 200; i++) step = file(String(i), step)
    const s = solver(async () => {}, { concurrency: 1 })
    await s.make().solve([step])
    expect(s.log).toHaveLength(400)
  })

  it('stops and settles everything after the first failure, and throws that one', async () => {
    const ended: string[] = []
    const s = solver(async (name, signal) => {
      if (name === 'bad') {
        await delay(5)
        throw new Error('bad')
      }
      await delay(10_000, undefined, { signal }).finally(() => ended.push(name))
    })
    await expect(s.make().solve([file('top', file('slow'), file('bad'))])).rejects.toThrow('bad')
    expect(ended).toEqual(['slow'])
    expect(types(s.events)).toEqual(['started', 'started', 'failed', 'canceled'])
  })

  it('ends with CANCELLED when it is aborted', async () => {
    const abort = new AbortController()
    const s = solver((_, signal) => delay(10_000, undefined, { signal }), { signal: abort.signal })
    const solving = s.make().solve([file('slow')] as Step[] as FileStep[])
    setTimeout(() => abort.abort(new Error('enough')), 5)
    await expect(solving).rejects.toMatchObject({ code: 'CANCELLED' })
  })
})
