import type { RawInstruction } from '../../dockerfile/ast.ts'
import type { Range } from '../../source.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const noEmptyContinuation = defineRule({
  name: 'NoEmptyContinuation',
  description: 'Empty continuation lines will become errors in a future release',
  url: 'https://docs.docker.com/go/dockerfile/rule/no-empty-continuation/',
  message: () => 'Empty continuation line',
  doc: {
    why:
      'An empty line after a line that ends in the escape character is skipped today and will be an error one day. A ' +
      'comment line may stand there.',
    bad: 'FROM alpine\nRUN apk add \\\n\n    curl',
    good: 'FROM alpine\nRUN apk add \\\n    # for the health check\n    curl',
    fix: 'removes the empty lines',
  },
})

/** @param range the last line of the instruction's head, where the reference points */
export function reportEmptyContinuation(reporter: Reporter, instruction: RawInstruction, range: Range): void {
  reporter.report(noEmptyContinuation, [], instruction, range)
}
