import type { CmdNode, EntrypointNode } from '../../instructions/nodes.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const jsonArgsRecommended = defineRule({
  name: 'JSONArgsRecommended',
  description: 'JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals',
  url: 'https://docs.docker.com/go/dockerfile/rule/json-args-recommended/',
  message: (keyword: string) =>
    `JSON arguments recommended for ${keyword} to prevent unintended behavior related to OS signals`,
  doc: {
    why:
      'In shell form a shell is process 1 and keeps signals such as SIGTERM to itself, so the program is killed instead ' +
      'of asked to stop. The JSON form starts the program itself. If it needs a shell, say so: name the shell in the ' +
      'JSON form, or set it with SHELL, which also silences this rule.',
    bad: 'FROM alpine\nENTRYPOINT my-program start',
    good: 'FROM alpine\nENTRYPOINT ["my-program", "start"]',
    fix: 'writes a CMD in JSON form if its command is plain words and no ENTRYPOINT receives it; an ENTRYPOINT is left as it is',
  },
})

/** @param shell SHELL as set by the file or the base image: whoever sets one means it */
export function checkJsonArgs(
  reporter: Reporter,
  node: CmdNode | EntrypointNode,
  shell: readonly string[] | undefined,
): void {
  if (node.command.form !== 'shell' || shell?.length) return
  reporter.report(jsonArgsRecommended, [node.raw.keyword], node.raw)
}
