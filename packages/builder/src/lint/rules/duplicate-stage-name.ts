import type { Stage } from '../../instructions/nodes.ts'
import { quote } from '../../util/go-text.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const duplicateStageName = defineRule({
  name: 'DuplicateStageName',
  description: 'Stage names should be unique',
  url: 'https://docs.docker.com/go/dockerfile/rule/duplicate-stage-name/',
  message: (stage: string) => `Duplicate stage name ${quote(stage)}, stage names should be unique`,
  doc: {
    why: 'Of two stages with one name only the later one can be referred to, which is seldom what was meant.',
    bad: 'FROM debian:latest AS builder\nFROM golang:latest AS builder',
    good: 'FROM debian:latest AS deb-builder\nFROM golang:latest AS go-builder',
  },
})

/** @param earlier names of the stages above this one */
export function checkDuplicateStageName(reporter: Reporter, stage: Stage, earlier: ReadonlySet<string>): void {
  const name = stage.from.stageName
  if (name !== undefined && earlier.has(name)) reporter.report(duplicateStageName, [name], stage.from.raw)
}
