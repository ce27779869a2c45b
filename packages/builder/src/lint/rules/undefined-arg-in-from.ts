import type { RawInstruction } from '../../dockerfile/ast.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const undefinedArgInFrom = defineRule({
  name: 'UndefinedArgInFrom',
  description: 'FROM command must use declared ARGs',
  url: 'https://docs.docker.com/go/dockerfile/rule/undefined-arg-in-from/',
  message: (name: string, suggestion: string | undefined) =>
    `FROM argument '${name}' is not declared${suggestion ? ` (did you mean ${suggestion}?)` : ''}`,
  doc: {
    why:
      'Only arguments that are declared before the first FROM, and the predefined platform arguments, count in FROM ' +
      'lines. Any other variable is empty there, also if it was given with --build-arg.',
    bad: 'FROM node:22$VARIANT AS base',
    good: 'ARG VARIANT="-alpine3.20"\nFROM node:22$VARIANT AS base',
  },
})

/**
 * @param unmatched variables of one word of the FROM line that have no value
 * @param declared names of all arguments that may stand there
 * @param similar suggests one of them
 */
export function checkUndefinedArgs(
  reporter: Reporter,
  from: RawInstruction,
  unmatched: Iterable<string>,
  declared: Pick<ReadonlySet<string>, 'has'>,
  similar: (name: string) => string | undefined,
): void {
  for (const name of unmatched) {
    if (!declared.has(name)) reporter.report(undefinedArgInFrom, [name, similar(name)], from)
  }
}
