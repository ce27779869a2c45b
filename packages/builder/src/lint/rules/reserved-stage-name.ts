import type { Stage } from '../../instructions/nodes.ts'
import { quote } from '../../util/go-text.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const reservedStageName = defineRule({
  name: 'ReservedStageName',
  description: 'Reserved words should not be used as stage names',
  url: 'https://docs.docker.com/go/dockerfile/rule/reserved-stage-name/',
  message: (stage: string) => `Stage name should not use the same name as reserved stage ${quote(stage)}`,
  doc: {
    why: '`scratch` is the empty image and `context` the build context; a stage of that name hides neither or both.',
    bad: 'FROM alpine AS scratch',
    good: 'FROM alpine AS builder',
  },
})

const reserved: ReadonlySet<string> = new Set(['context', 'scratch'])

export function checkReservedStageName(reporter: Reporter, stage: Stage): void {
  const name = stage.from.stageName
  if (name !== undefined && reserved.has(name)) reporter.report(reservedStageName, [name], stage.from.raw)
}
