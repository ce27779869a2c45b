import type { RawInstruction } from '../../dockerfile/ast.ts'
import type { Expansion } from '../../dockerfile/expand.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const redundantTargetPlatform = defineRule({
  name: 'RedundantTargetPlatform',
  description: 'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
  url: 'https://docs.docker.com/go/dockerfile/rule/redundant-target-platform/',
  message: (expression: string) =>
    `Setting platform to predefined ${expression} in FROM is redundant as this is the default behavior`,
  doc: {
    why: 'Base images are taken for the target platform unless something else is said. Leave the flag out.',
    bad: 'FROM --platform=$TARGETPLATFORM alpine AS builder',
    good: 'FROM alpine AS builder',
    fix: 'removes the flag',
  },
})

/** @param expression the value of --platform as written */
export function checkRedundantPlatform(
  reporter: Reporter,
  from: RawInstruction,
  expression: string,
  expansion: Expansion,
  targetPlatform: string | undefined,
): void {
  // Only a lone $TARGETPLATFORM: with other variables around the line may mean something else under other arguments.
  const alone = expansion.used.size === 1 && expansion.used.has('TARGETPLATFORM') && expansion.unset.size === 0
  if (alone && expansion.value === targetPlatform) reporter.report(redundantTargetPlatform, [expression], from)
}
