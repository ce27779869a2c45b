import type { RawInstruction } from '../../dockerfile/ast.ts'
import { defineRule, type Reporter } from '../rule.ts'

/** The case that most keywords of a file have. */
export type Casing = 'lowercase' | 'uppercase'

export const consistentInstructionCasing = defineRule({
  name: 'ConsistentInstructionCasing',
  description: 'All commands within the Dockerfile should use the same casing (either upper or lower)',
  url: 'https://docs.docker.com/go/dockerfile/rule/consistent-instruction-casing/',
  message: (keyword: string, casing: Casing) =>
    `Command '${keyword}' should match the case of the command majority (${casing})`,
  doc: {
    why: 'Keywords work in any case. One case in the whole file tells them from their arguments; upper case is usual.',
    bad: 'FROM alpine\nrun echo hello > /greeting\nENTRYPOINT ["cat", "/greeting"]',
    good: 'FROM alpine\nRUN echo hello > /greeting\nENTRYPOINT ["cat", "/greeting"]',
    fix: "writes all keywords in the majority's case",
  },
})

/** The case of most keywords; upper case when there are as many of both. Keywords in mixed case do not count. */
export function majorityCasing(instructions: Iterable<RawInstruction>): Casing {
  let lower = 0
  let upper = 0
  for (const { keyword } of instructions) {
    if (keyword === keyword.toLowerCase()) lower++
    else if (keyword === keyword.toUpperCase()) upper++
  }
  return lower > upper ? 'lowercase' : 'uppercase'
}

/** The keyword in a case. */
export function cased(keyword: string, casing: Casing): string {
  return casing === 'lowercase' ? keyword.toLowerCase() : keyword.toUpperCase()
}

/** @param instructions all of the stages; ARGs before the first FROM do not take part */
export function checkInstructionCasing(reporter: Reporter, instructions: readonly RawInstruction[]): void {
  const casing = majorityCasing(instructions)
  for (const instruction of instructions) {
    const { keyword } = instruction
    if (keyword !== cased(keyword, casing)) reporter.report(consistentInstructionCasing, [keyword, casing], instruction)
  }
}
