/** A cloner that is always there: one that somebody has killed is replaced. */
import { type ClonerOptions, ClonerProcess } from './cloner-process.ts'

/** Whoever makes it disposes it, which ends everything started from it. */
export class LastingCloner implements AsyncDisposable {
  readonly #options: ClonerOptions
  #current: ClonerProcess

  constructor(options: ClonerOptions) {
    this.#options = options
    this.#current = new ClonerProcess(options)
  }

  /** Resolves when the first process can be started without delay; rejects when none can. */
  async ready(): Promise<void> {
    await this.#current.ready()
  }

  /** A cloner that is ready. */
  async get(): Promise<ClonerProcess> {
    if (!this.#current.alive) this.#current = new ClonerProcess(this.#options)
    await this.#current.ready()
    return this.#current
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current.close()
  }
}
