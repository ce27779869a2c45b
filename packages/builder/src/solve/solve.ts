/**
 * Runs a build graph: each step once, inputs first, independent steps side by side, results from the cache where they are.
 *
 * Inputs are awaited outside the limiter and the work is done inside it, so waiting never holds a place. After the first
 * failure nothing new starts, everything under way is aborted and awaited, and the first error is thrown.
 */
import pLimit from 'p-limit'
import { BuildError, cancelled } from '../errors.ts'
import { inputsOf, type RootfsStep, type Step } from '../graph/step.ts'
import { StepDigests } from '../graph/vertex.ts'
import type { ProgressListener } from '../progress.ts'
import type { StepCache, StepRecord } from '../steps/step-cache.ts'
import { EMPTY_ROOTFS, type RootfsResult, type StepHandler, type StepResult, type Visit } from '../steps/types.ts'

export type Handlers = { readonly [S in Step as S['kind']]: StepHandler<S> }

export interface SolveOptions {
  readonly handlers: Handlers
  readonly cache: StepCache
  readonly emit: ProgressListener
  /** Aborting it ends the solve with CANCELLED. */
  readonly signal: AbortSignal
  /** How many steps may work at the same time. */
  readonly concurrency: number
  readonly now: () => number
  /** Unique ids for progress. */
  readonly nextId: () => string
  /** Told when a step is about to do work for the first time, and when one has made a root filesystem. */
  readonly onWork?: () => void
  readonly onResult?: (step: Step, result: RootfsResult) => void
}

/** How many steps ran and how many came from the cache. */
export interface SolveCounts {
  total: number
  cached: number
}

/** Memoises the steps of one build. */
export class Solver {
  readonly counts: SolveCounts = { total: 0, cached: 0 }
  readonly #options: SolveOptions
  readonly #limit: ReturnType<typeof pLimit>
  readonly #visits = new Map<Step, Promise<StepResult>>()
  readonly #byKey = new Map<string, Promise<StepResult>>()
  readonly #saves: Promise<void>[] = []
  /** What RUNs gave that were run, not found. */
  readonly #ran = new WeakSet<StepResult>()
  readonly #digests = new StepDigests()
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  #failure: { readonly error: unknown } | undefined

  constructor(options: SolveOptions) {
    this.#options = options
    this.#limit = pLimit(options.concurrency)
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal])
  }

  /** Solves the root filesystems of all `targets`. */
  async solve(targets: readonly (RootfsStep | undefined)[]): Promise<RootfsResult[]> {
    const results = await Promise.allSettled(
      targets.map(async (target) =>
        target === undefined ? EMPTY_ROOTFS : ((await this.#visit(target)) as RootfsResult),
      ),
    )
    await Promise.allSettled(this.#visits.values())
    await Promise.all(this.#saves)
    if (this.#options.signal.aborted) throw cancelled([], { cause: this.#options.signal.reason })
    if (this.#failure) throw this.#failure.error
    return results.map((r) => {
      if (r.status === 'rejected') throw r.reason
      return r.value
    })
  }

  #visit(step: Step): Promise<StepResult> {
    let visit = this.#visits.get(step)
    if (visit === undefined) {
      visit = this.#run(step)
      visit.catch((error: unknown) => this.#fail(error))
      this.#visits.set(step, visit)
    }
    return visit
  }

  #fail(error: unknown): void {
    if (this.#failure || this.#options.signal.aborted) return
    this.#failure = { error }
    this.#stop.abort(error)
  }

  async #run<S extends Step>(step: S): Promise<StepResult> {
    const inputs = new Map<Step, StepResult>()
    const handler = this.#options.handlers[step.kind] as unknown as StepHandler<S>
    const visit = this.#makeVisit(step, inputs)
    const tell = this.#teller(visit)
    const early = this.#early(handler, step, tell)
    await Promise.all([early, ...inputsOf(step).map(async (input) => inputs.set(input, await this.#visit(input)))])
    this.#signal.throwIfAborted()
    try {
      const key = await this.#limit(() => handler.key(visit))
      this.#signal.throwIfAborted()
      if (key === undefined) return await this.#unkeyed(handler, visit, tell)
      const same = this.#byKey.get(key)
      if (same) return await same
      const work = this.#cachedOrRun(handler, visit, key, tell)
      this.#byKey.set(key, work)
      return await work
    } catch (error) {
      throw failed(step, error, tell)
    }
  }

  async #early<S extends Step>(handler: StepHandler<S>, step: S, tell: Teller): Promise<void> {
    try {
      await handler.early?.(step, (input) => this.#visit(input), this.#signal)
    } catch (error) {
      throw failed(step, error, tell)
    }
  }

  /** Steps whose results are found anew in every build. */
  async #unkeyed<S extends Step>(handler: StepHandler<S>, visit: Visit<S>, tell: Teller): Promise<StepResult> {
    // Contexts show themselves when they are opened.
    const shown = visit.step.kind !== 'context'
    if (shown) tell.started()
    const result = await this.#limit(() => handler.run(visit, undefined))
    if (shown) tell.done()
    return result
  }

  async #cachedOrRun<S extends Step>(
    handler: StepHandler<S>,
    visit: Visit<S>,
    key: string,
    tell: Teller,
  ): Promise<StepResult> {
    this.counts.total++
    const { step } = visit
    const found = step.noCache || this.#isNew(visit) ? undefined : await this.#options.cache.lookup(key)
    if (found && (step.kind === 'file' || step.kind === 'run')) {
      this.counts.cached++
      tell.cached()
      const { record, blob } = found
      const below = step.parent === undefined ? EMPTY_ROOTFS : (visit.input(step.parent) as RootfsResult)
      const layer = {
        snapshot: record.snapshot,
        created: record.created,
        started: record.started,
        known: blob,
        image: undefined,
      }
      return { kind: 'rootfs', identity: record.snapshot, stack: [...below.stack, layer] }
    }
    const result = await this.#limit(async () => {
      this.#signal.throwIfAborted()
      tell.started()
      this.#options.onWork?.()
      return await handler.run(visit, key)
    })
    if (step.kind === 'run') this.#ran.add(result)
    if (result.kind === 'rootfs') this.#options.onResult?.(step, result)
    const top = result.kind === 'rootfs' ? result.stack.at(-1) : undefined
    if (top?.created !== undefined && top.started !== undefined)
      this.#save(key, { snapshot: top.snapshot, created: top.created, started: top.started })
    tell.done()
    return result
  }

  /** Whether no earlier build can have done this: what a RUN of this build gave has an identity of its own. */
  #isNew({ step, input }: Visit<Step>): boolean {
    return step.kind === 'run' && step.parent?.kind === 'run' && this.#ran.has(input(step.parent))
  }

  /** Remembers a result while the next steps go on; the solve does not end before. */
  #save(key: string, record: StepRecord): void {
    this.#saves.push(this.#options.cache.save(key, record).catch((error: unknown) => this.#fail(error)))
  }

  #makeVisit<S extends Step>(step: S, inputs: ReadonlyMap<Step, StepResult>): Visit<S> {
    const { emit, now, nextId } = this.#options
    const digests = this.#digests
    const vertex = {
      id: nextId(),
      name: step.name,
      // Asked for by few.
      get digest() {
        return digests.of(step)
      },
      get inputs() {
        return inputsOf(step).map((input) => digests.of(input))
      },
    }
    return {
      step,
      vertex,
      signal: this.#signal,
      input: (input) => inputs.get(input)!,
      log: (stream, data) => emit({ type: 'log', id: vertex.id, stream, data, time: now() }),
      progress: (item, current, total) => emit({ type: 'progress', id: vertex.id, item, current, total, time: now() }),
    }
  }

  #teller(visit: Visit<Step>): Teller {
    const { emit, now } = this.#options
    const { vertex } = visit
    let begun = false
    const begin = () => {
      if (!begun) emit({ type: 'started', vertex, time: now() })
      begun = true
    }
    return {
      started: begin,
      cached: () => {
        begin()
        emit({ type: 'cached', id: vertex.id, time: now() })
      },
      done: () => emit({ type: 'done', id: vertex.id, time: now() }),
      failed: (error) => {
        if (this.#signal.aborted) {
          if (begun) emit({ type: 'canceled', id: vertex.id, time: now() })
          return
        }
        begin()
        emit({
          type: 'failed',
          id: vertex.id,
          message: error instanceof Error ? error.message : String(error),
          time: now(),
        })
      },
    }
  }
}

/** Tells of a failure and places it. */
function failed(step: Step, error: unknown, tell: Teller): unknown {
  tell.failed(error)
  return error instanceof BuildError ? error.with({ at: step.at, step: step.name }) : error
}

interface Teller {
  started(): void
  cached(): void
  done(): void
  failed(error: unknown): void
}
