/** Lets others have their turn, and an abort be noticed, in long synchronous work. */
import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../errors.ts'

/** Steps between two turns of others. */
const STEPS = 256

export class Turns {
  readonly #signal: AbortSignal | undefined
  #steps = 0

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal
  }

  /**
   * To be called at each step; returns something to wait for when it is the others' turn.
   *
   * @param weight of the step, where one entry of a directory has 1
   * @throws CANCELLED
   */
  async next(weight = 1): Promise<void> {
    this.#steps += weight
    if (this.#steps < STEPS) return
    this.#steps = 0
    await setImmediate()
    throwIfAborted(this.#signal)
  }
}
