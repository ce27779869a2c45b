import type { RawInstruction } from '../../dockerfile/ast.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const multipleInstructionsDisallowed = defineRule({
  name: 'MultipleInstructionsDisallowed',
  description: 'Multiple instructions of the same type should not be used in the same stage',
  url: 'https://docs.docker.com/go/dockerfile/rule/multiple-instructions-disallowed/',
  message: (keyword: string) =>
    `Multiple ${keyword} instructions should not be used in the same stage because only the last one will be used`,
  doc: {
    why: 'Of several CMD, ENTRYPOINT or HEALTHCHECK instructions in a stage only the last one counts.',
    bad: 'FROM alpine\nENTRYPOINT ["echo", "Hello"]\nENTRYPOINT ["echo", "World"]',
    good: 'FROM alpine\nENTRYPOINT ["echo", "Hello\\nWorld"]',
  },
})

/** @param previous the instruction of the same kind that this one replaces: the one that is shown */
export function reportReplaced(reporter: Reporter, previous: RawInstruction, instruction: RawInstruction): void {
  reporter.report(multipleInstructionsDisallowed, [instruction.keyword], previous, previous.range, instruction)
}
