/** What a lint rule is: its texts, and whether it is on by default. */
import type { RawInstruction } from '../dockerfile/ast.ts'
import type { Range } from '../source.ts'

/** The paragraph of docs/checks.md about a rule. */
export interface RuleDoc {
  /** Why the finding matters and what to do. */
  readonly why: string
  /** A Dockerfile that the rule warns about. */
  readonly bad: string
  /** The same, as it should be. */
  readonly good: string
  /** What `--check --fix` does about it; undefined if it leaves it to the author. */
  readonly fix?: string
}

/** The texts of a rule. Name, description, URL and message are the reference's, since tools match on them. */
export interface Rule<A extends readonly unknown[] = readonly never[]> {
  readonly name: string
  readonly description: string
  /** Page of the reference about the rule; it has none for one rule. */
  readonly url?: string
  /** Off unless `# check=experimental=…` asks for it. */
  readonly experimental?: boolean
  readonly message: (...args: A) => string
  readonly doc: RuleDoc
}

/** Defines a rule; infers the arguments of its message. */
export function defineRule<const A extends readonly unknown[]>(rule: Rule<A>): Rule<A> {
  return rule
}

/** Receives the findings of rules. */
export interface Reporter {
  /**
   * @param at the instruction the finding belongs to: its comments may switch the rule off
   * @param range where the finding is shown if not on the whole instruction
   * @param other an instruction that takes part in the finding, whose comments count as well
   */
  report<A extends readonly unknown[]>(
    rule: Rule<A>,
    args: A,
    at: RawInstruction,
    range?: Range,
    other?: RawInstruction,
  ): void
}
