/** Suggestions for misspelt names with bounded work: a file may misspell many names among many. */
import { suggest } from '../util/suggest.ts'

/** Names compared in one run; what comes later goes without a suggestion. */
const budget = 200_000

export class Suggester {
  #left = budget

  find(name: string, options: { readonly size: number; keys(): Iterable<string> }): string | undefined {
    this.#left -= options.size
    return this.#left < 0 ? undefined : suggest(name, options.keys())
  }
}
