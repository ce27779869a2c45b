/**
 * Runs a build graph: each step once, inputs first, independent steps side by side, results from the cache where they are.
 *
 * Inputs are awaited outside the limiter and the work is done inside it, so waiting never holds a place. After the first
 * failure nothing new starts, everything under way is aborted and awaited, and the first error is thrown.
 */
import pLimit from 'p-limit'
import { BuildError, cancelled } from '../errors.ts'
import type { StepKey } from '../graph/key.ts'
import { inputsOf, type RootfsStep, type Step } from '../graph/step.ts'
import { StepDigests } from '../graph/vertex.ts'
import type { ProgressListener } from '../progress.ts'
import type { StepCache } from '../steps/step-cache.ts'
import {
  EMPTY_ROOTFS,
  onTop,
  type RootfsResult,
  type StackLayer,
  type StepHandler,
  type StepResult,
  type Visit,
} from '../steps/types.ts'
import { type StepLocks, Turns } from './turns.ts'

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
  /** Locks that builds share which share the cache. */
  readonly locks?: StepLocks
  /** Learns what steps are keyed by, and what becomes of them. */
  readonly observer?: SolveObserver
  /** Told when a step is about to do work for the first time, and when one has made a root filesystem. */
  readonly onWork?: () => void
  readonly onResult?: (step: Step, result: RootfsResult) => void
  /** Whether a step's content is needed whatever is found of others. */
  readonly isNeeded?: (step: Step) => boolean
}

export interface SolveObserver {
  /** Inputs come before what is made from them. @param digestOf of an input that is a download */
  keyed(step: Step, key: StepKey, digestOf: (input: Step) => string | undefined): void
  /** A step was not found in the cache, and has begun. */
  missed(step: Step, id: string): void
  ended(step: Step, outcome: 'ran' | 'cached'): void
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
  /** Layers of this build. One may stand in several places, each on a stack of its own. */
  readonly #byKey = new Map<string, Promise<StackLayer>>()
  readonly #saves: Promise<void>[] = []
  /** Layers of RUNs that were run, not found. */
  readonly #ran = new WeakSet<StackLayer>()
  readonly #digests = new StepDigests()
  readonly #turns: Turns
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  #failure: { readonly error: unknown } | undefined

  constructor(options: SolveOptions) {
    this.#options = options
    this.#limit = pLimit(options.concurrency)
    this.#turns = new Turns(options.locks)
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

  /** The root filesystems of all steps that give one, once they are solved. */
  async rootfses(): Promise<{ readonly step: Step; readonly result: RootfsResult }[]> {
    const results = await Promise.all([...this.#visits].map(async ([step, visit]) => ({ step, result: await visit })))
    return results.flatMap(({ step, result }) => (result.kind === 'rootfs' ? [{ step, result }] : []))
  }

  /** Begins a step and all that it needs. Without recursion, as graphs are as deep as Dockerfiles are long. */
  #visit(step: Step): Promise<StepResult> {
    const open = [step]
    const entered = new Map<Step, Entered>()
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const known = entered.get(top)
      if (this.#visits.has(top)) open.pop()
      else if (known === undefined) {
        entered.set(top, this.#enter(top))
        open.push(...inputsOf(top).toReversed())
      } else {
        const visit = this.#run(known)
        visit.catch((error: unknown) => this.#fail(error))
        this.#visits.set(top, visit)
      }
    }
    return this.#visits.get(step)!
  }

  #fail(error: unknown): void {
    if (this.#failure || this.#options.signal.aborted) return
    this.#failure = { error }
    this.#stop.abort(error)
  }

  /** Does what can be done before the step's inputs are there. */
  #enter(step: Step): Entered {
    const inputs = new Map<Step, StepResult>()
    const handler = this.#options.handlers[step.kind] as unknown as StepHandler<Step>
    const visit = this.#makeVisit(step, inputs)
    const tell = this.#teller(visit)
    return { handler, visit, inputs, tell, early: this.#early(handler, step, tell) }
  }

  /** Does the rest, once the inputs are there, which have begun already. */
  async #run({ handler, visit, inputs, tell, early }: Entered): Promise<StepResult> {
    const { step } = visit
    await Promise.all([
      early,
      ...inputsOf(step).map(async (input) => inputs.set(input, await this.#visits.get(input)!)),
    ])
    this.#signal.throwIfAborted()
    try {
      const keyed = await this.#limit(() => handler.key(visit))
      this.#signal.throwIfAborted()
      if (keyed === undefined) return await this.#unkeyed(handler, visit, tell)
      const { key } = keyed
      this.#options.observer?.keyed(step, keyed, (input) => {
        const result = inputs.get(input)
        return result?.kind === 'file' ? result.digest : undefined
      })
      // What must be done anew is not what another stage may have taken from the cache.
      const place = step.noCache ? `anew ${key}` : key
      let layer = this.#byKey.get(place)
      if (layer === undefined) {
        layer = this.#cachedOrRun(handler, visit, key, tell)
        this.#byKey.set(place, layer)
      }
      return onTop(below(visit), await layer)
    } catch (error) {
      await this.#turns.end(step)
      throw failed(step, error, tell)
    }
  }

  /** @returns false for a step that need not take turns */
  async #takeTurn(visit: Visit<Step>, key: string, tell: Teller): Promise<boolean> {
    if (visit.step.kind !== 'run' || visit.step.noCache) return false
    return await this.#turns.take(visit.step, key, this.#signal, () => {
      tell.started()
      visit.log('stderr', Buffer.from('waiting for another build, which is running this step\n'))
    })
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
  ): Promise<StackLayer> {
    this.counts.total++
    const { step } = visit
    const { cache, isNeeded } = this.#options
    const lookup = async () => await cache.lookup(key, isNeeded?.(step) === true)
    let found = step.noCache || this.#isNew(visit) ? undefined : await lookup()
    // Another build may have made it while it was waited for, or since it was looked up.
    if (found === undefined && (await this.#takeTurn(visit, key, tell))) found = await lookup()
    if (found) {
      await this.#turns.end(step)
      this.counts.cached++
      tell.cached()
      this.#options.observer?.ended(step, 'cached')
      return { ...found, alone: step.kind === 'file' && step.link }
    }
    const result = await this.#limit(async () => {
      this.#signal.throwIfAborted()
      tell.started()
      this.#options.observer?.missed(step, visit.vertex.id)
      this.#options.onWork?.()
      return await handler.run(visit, key)
    })
    const layer = (result as RootfsResult).stack.top!
    if (step.kind === 'run') this.#ran.add(layer)
    this.#options.onResult?.(step, result as RootfsResult)
    this.#saves.push(this.#settle(step, key, layer, tell))
    return layer
  }

  /** Whether no earlier build can have done this: what a RUN of this build gave has an identity of its own. */
  #isNew({ step, input }: Visit<Step>): boolean {
    if (step.kind !== 'run' || step.parent?.kind !== 'run') return false
    const { stack } = input(step.parent) as RootfsResult
    return this.#ran.has(stack.top!)
  }

  /** Waits for a layer that is still being packed and remembers it, while the next steps go on; the solve waits for it. */
  async #settle(step: Step, key: string, layer: StackLayer, tell: Teller): Promise<void> {
    const { snapshot, made, created, started, coming } = layer
    try {
      if (coming) await coming.blob
    } catch (error) {
      return this.#fail(failed(step, error, tell))
    }
    tell.done()
    this.#options.observer?.ended(step, 'ran')
    if (created === undefined || started === undefined) return
    const record = { snapshot, made, created, started }
    await this.#options.cache.save(key, record).catch((error: unknown) => this.#fail(error))
    await this.#turns.end(step)
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
      giveUp: () => this.#turns.end(step),
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

/** What a step's layer stands on. */
function below({ step, input }: Visit<Step>): RootfsResult {
  const parent = step.kind === 'file' || step.kind === 'run' ? step.parent : undefined
  return parent === undefined ? EMPTY_ROOTFS : (input(parent) as RootfsResult)
}

/** Tells of a failure and places it. */
function failed(step: Step, error: unknown, tell: Teller): unknown {
  tell.failed(error)
  return error instanceof BuildError ? error.with({ at: step.at, step: step.name }) : error
}

/** A step that has begun. */
interface Entered {
  readonly handler: StepHandler<Step>
  readonly visit: Visit<Step>
  /** Results of its inputs, as they come. */
  readonly inputs: Map<Step, StepResult>
  readonly tell: Teller
  readonly early: Promise<void>
}

interface Teller {
  started(): void
  cached(): void
  done(): void
  failed(error: unknown): void
}
