import type { RawInstruction } from '../../dockerfile/ast.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const stageNameCasing = defineRule({
  name: 'StageNameCasing',
  description: 'Stage names should be lowercase',
  url: 'https://docs.docker.com/go/dockerfile/rule/stage-name-casing/',
  message: (stage: string) => `Stage name '${stage}' should be lowercase`,
  doc: {
    why:
      'Stage names are looked up in lower case: `COPY --from=Builder` finds a stage `builder`, but `FROM Builder` does ' +
      'not. A lowercase name works everywhere and cannot be confused with an image name.',
    bad: 'FROM alpine AS BuilderBase',
    good: 'FROM alpine AS builder-base',
    fix: 'writes the name and its uses in lower case',
  },
})

/** @param from a FROM instruction */
export function checkStageNameCasing(reporter: Reporter, from: RawInstruction): void {
  const name = from.words[2]?.text
  if (from.words.length === 3 && name !== undefined && name !== name.toLowerCase()) {
    reporter.report(stageNameCasing, [name], from)
  }
}
