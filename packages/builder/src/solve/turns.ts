/**
 * A step that several builds want at the same time is run by one of them, and found by the others when it is done.
 *
 * Who runs a step holds a lock named by its key until the result is remembered. A lock ends with its process. Nobody
 * waits while holding one: it is taken when all inputs are there, and what works on a step waits for no other step; so
 * builds that want the same steps in another order cannot wait for each other. A build waits once for each step. What was
 * waited for may leave no result: then the step is run here, beside whoever else may do so, which costs time and nothing
 * else, as each result has a name of its own.
 */
import type { Step } from '../graph/step.ts'

/** See `Locks` of the store. */
export interface StepLocks {
  tryAcquire(name: string): Promise<AsyncDisposable | undefined>
  follow(name: string, signal?: AbortSignal): Promise<AsyncDisposable | undefined>
}

export class Turns {
  readonly #locks: StepLocks | undefined
  readonly #held = new Map<Step, AsyncDisposable>()

  constructor(locks: StepLocks | undefined) {
    this.#locks = locks
  }

  /**
   * Takes the turn of a step, until {@link end}; after this the step may have a result.
   *
   * @param onWait called before another build is waited for
   * @returns false where nobody takes turns
   */
  async take(step: Step, key: string, signal: AbortSignal, onWait: () => void): Promise<boolean> {
    if (this.#locks === undefined) return false
    const name = `step ${key}`
    let lock = await this.#locks.tryAcquire(name)
    if (lock === undefined) {
      onWait()
      lock = await this.#locks.follow(name, signal)
    }
    if (lock !== undefined) this.#held.set(step, lock)
    return true
  }

  /** Lets others have the turn. */
  async end(step: Step): Promise<void> {
    const lock = this.#held.get(step)
    this.#held.delete(step)
    await lock?.[Symbol.asyncDispose]()
  }
}
