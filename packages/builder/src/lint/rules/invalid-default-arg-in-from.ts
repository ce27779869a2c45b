import type { FromNode } from '../../instructions/nodes.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const invalidDefaultArgInFrom = defineRule({
  name: 'InvalidDefaultArgInFrom',
  description: 'Default value for global ARG results in an empty or invalid base image name',
  url: 'https://docs.docker.com/go/dockerfile/rule/invalid-default-arg-in-from/',
  message: (image: string) => `Default value for ARG ${image} results in empty or invalid base image name`,
  doc: {
    why: 'Without --build-arg the file cannot be built. A default makes it build as it is and shows what is expected.',
    bad: 'ARG TAG\nFROM busybox:$TAG',
    good: 'ARG TAG=latest\nFROM busybox:$TAG',
  },
})

/**
 * @param valid whether the image name, with the defaults of the global ARGs, may be the name of an image
 */
export function checkDefaultBase(reporter: Reporter, from: FromNode, valid: boolean): void {
  if (!valid) reporter.report(invalidDefaultArgInFrom, [from.image], from.raw)
}
