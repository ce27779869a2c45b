import type { EnvNode, KeyValue, LabelNode } from '../../instructions/nodes.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const legacyKeyValueFormat = defineRule({
  name: 'LegacyKeyValueFormat',
  description: 'Legacy key/value format with whitespace separator should not be used',
  url: 'https://docs.docker.com/go/dockerfile/rule/legacy-key-value-format/',
  message: (keyword: string) => `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`,
  doc: {
    why: 'The form without `=` takes one pair per line and leaves it to the reader where the value ends.',
    bad: 'FROM alpine\nENV DEPS curl git make',
    good: 'FROM alpine\nENV DEPS="curl git make"',
    fix: 'writes `key=value`, quoted where it has to be, if the instruction stands on one line',
  },
})

export function checkKeyValue(reporter: Reporter, node: EnvNode | LabelNode, pair: KeyValue): void {
  if (pair.legacy) reporter.report(legacyKeyValueFormat, [node.raw.keyword], node.raw)
}
