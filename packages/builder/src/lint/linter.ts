/** Collects findings: applies the check options of the file, of the command line and of single instructions. */
import type { RawInstruction } from '../dockerfile/ast.ts'
import type { BuildError } from '../errors.ts'
import type { BuildWarning } from '../progress.ts'
import type { Range, SourceFile } from '../source.ts'
import { lintErrors } from './errors.ts'
import { type CheckOptions, commentOptions } from './options.ts'
import type { Reporter, Rule } from './rule.ts'

/** One run of the checks over one file. Not reusable. */
export class Linter implements Reporter {
  readonly #file: SourceFile
  readonly #options: CheckOptions
  readonly #comments = new Map<RawInstruction, CheckOptions | undefined>()
  readonly #warnings: BuildWarning[] = []

  constructor(file: SourceFile, options: CheckOptions) {
    this.#file = file
    this.#options = options
  }

  /** Findings so far, in the order in which the reference reports them. */
  get warnings(): readonly BuildWarning[] {
    return this.#warnings
  }

  report<A extends readonly unknown[]>(
    rule: Rule<A>,
    args: A,
    at: RawInstruction,
    range: Range = at.range,
    other: RawInstruction = at,
  ): void {
    if (!this.#enabled(rule, at) || !this.#enabled(rule, other)) return
    this.#warnings.push({
      rule: rule.name,
      message: rule.message(...args),
      description: rule.description,
      ...(rule.url !== undefined && { url: rule.url }),
      at: { file: this.#file, range },
    })
  }

  /** The error that the findings amount to, if the options say so (`error=true`). */
  violation(): BuildError | undefined {
    const first = this.#warnings[0]
    if (!this.#options.error || first === undefined) return undefined
    const rules = [...new Set(this.#warnings.map((warning) => warning.rule))]
    return lintErrors.violation([rules])
  }

  /** `skip` of the file does not touch experimental rules, as these are asked for by name. */
  #enabled(rule: Pick<Rule, 'name' | 'experimental'>, at: RawInstruction): boolean {
    const local = this.#local(at)
    if (local?.skipAll && !rule.experimental) return false
    if (local?.skip.has(rule.name)) return false
    if (rule.experimental) {
      return [this.#options, local].some((o) => o?.experimentalAll || o?.experimental.has(rule.name))
    }
    return !this.#options.skipAll && !this.#options.skip.has(rule.name)
  }

  #local(at: RawInstruction): CheckOptions | undefined {
    if (!this.#comments.has(at)) this.#comments.set(at, commentOptions(at.comments))
    return this.#comments.get(at)
  }
}
