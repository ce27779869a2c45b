/** For tests: runs the checks over a text and shows the findings in short. */
import { parseText, resolveIn, type TestWorld, testWorld } from '../stages/testing.ts'
import { createLinter } from './create.ts'
import type { StageFacts } from './facts.ts'
import { lintStages } from './walk.ts'

/** Findings as `Rule:line: message`, in order, and what else came of the checks. */
export async function lintText(text: string, overrides: Partial<TestWorld> = {}) {
  const world = testWorld(overrides)
  const stages = await resolveIn(world, parseText(text))
  const { linter, remarks } = createLinter(stages.parsed.dockerfile, world.buildArgs)
  const facts = await lintStages(stages, linter, world.ignored)
  const found = linter.warnings.map(({ rule, message, at }) => `${rule}:${at?.range.start.line}: ${message}`)
  const target: StageFacts | undefined = stages.target && facts.stages.get(stages.target)
  return { found, error: facts.error, failure: stages.failure, target, remarks: remarks.map(({ message }) => message) }
}

/** An example of a rule for a table test. */
export interface LintExample {
  readonly name: string
  readonly text: string
  readonly world?: Partial<TestWorld>
  /** Findings as `Rule:line: message`. */
  readonly found: readonly string[]
}

/** A text of lines. */
export function lines(...list: readonly string[]): string {
  return `${list.join('\n')}\n`
}
