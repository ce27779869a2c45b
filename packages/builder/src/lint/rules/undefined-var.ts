import type { RawInstruction } from '../../dockerfile/ast.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const undefinedVar = defineRule({
  name: 'UndefinedVar',
  description: 'Variables should be defined before their use',
  url: 'https://docs.docker.com/go/dockerfile/rule/undefined-var/',
  message: (name: string, suggestion: string | undefined) =>
    `Usage of undefined variable '$${name}'${suggestion ? ` (did you mean $${suggestion}?)` : ''}`,
  doc: {
    why:
      'A variable that no ARG or ENV above (nor the base image) defines is empty: often a typing error, or an ARG that ' +
      'stands before FROM and was not declared again in the stage. Variables that only the shell of RUN sees are not checked.',
    bad: 'FROM alpine AS base\nCOPY $foo .',
    good: 'FROM alpine AS base\nARG foo\nCOPY $foo .',
  },
})

/** Arguments that steer attestations: they are read from the stage, not from its environment. */
const withoutValue: ReadonlySet<string> = new Set(['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE'])

/**
 * @param unmatched variables of one word that have no value
 * @param declared ARGs of the stage, also those without value
 * @param similar suggests a name of the environment
 */
export function checkUndefinedVars(
  reporter: Reporter,
  instruction: RawInstruction,
  unmatched: Iterable<string>,
  declared: Pick<ReadonlySet<string>, 'has'>,
  similar: (name: string) => string | undefined,
): void {
  for (const name of unmatched) {
    if (declared.has(name) || withoutValue.has(name)) continue
    reporter.report(undefinedVar, [name, similar(name)], instruction)
  }
}
