import type { RawInstruction } from '../../dockerfile/ast.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const maintainerDeprecated = defineRule({
  name: 'MaintainerDeprecated',
  description: 'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
  url: 'https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/',
  message: () => 'Maintainer instruction is deprecated in favor of using label',
  doc: {
    why: 'A label can be read from the image with the same tools as all other labels.',
    bad: 'FROM alpine\nMAINTAINER moby@example.com',
    good: 'FROM alpine\nLABEL org.opencontainers.image.authors="moby@example.com"',
    fix: 'writes the label `org.opencontainers.image.authors` in its place',
  },
})

/** @param maintainer a MAINTAINER instruction */
export function reportMaintainer(reporter: Reporter, maintainer: RawInstruction): void {
  reporter.report(maintainerDeprecated, [], maintainer)
}
