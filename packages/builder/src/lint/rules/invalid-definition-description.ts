import type { RawInstruction } from '../../dockerfile/ast.ts'
import { checkComment } from '../options.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const invalidDefinitionDescription = defineRule({
  name: 'InvalidDefinitionDescription',
  description:
    'Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not ' +
    'intended to be a description comment, add an empty line or comment between the instruction and the comment.',
  url: 'https://docs.docker.com/go/dockerfile/rule/invalid-definition-description/',
  experimental: true,
  message: (keyword: 'ARG' | 'FROM', name: string) =>
    `Comment for ${keyword} should follow the format: \`# ${name} <description>\``,
  doc: {
    why:
      '`--call=outline` and `--call=targets` show the comment directly above an ARG or FROM as its description if it ' +
      'begins with the name. Begin it so, or separate it by an empty comment line; an empty line alone does not separate.',
    bad: '# a non-descriptive comment\nFROM scratch AS base\n\n# another comment\nARG VERSION=1',
    good: '# a non-descriptive comment\n#\nFROM scratch AS base\n\n# VERSION This is the version number.\nARG VERSION=1',
  },
})

/** The comments above an instruction that describe it: those after the last empty one, without check options. */
function descriptionComments(instruction: RawInstruction): readonly string[] {
  const { comments } = instruction
  return comments.slice(comments.lastIndexOf('') + 1).filter((comment) => checkComment(comment) === undefined)
}

/** The text that the comments above give for a name; undefined if they do not. */
export function descriptionOf(instruction: RawInstruction, name: string): string | undefined {
  return descriptionComments(instruction)
    .find((comment) => comment.startsWith(`${name} `))
    ?.slice(name.length + 1)
}

/** @param names what the instruction defines: the arguments of an ARG, the stage of a FROM */
export function checkDescription(
  reporter: Reporter,
  instruction: RawInstruction,
  keyword: 'ARG' | 'FROM',
  names: readonly string[],
): void {
  const last = descriptionComments(instruction).at(-1)
  if (last === undefined || names.length === 0 || names.includes(last.split(' ', 1)[0]!)) return
  const shown = names.length > 1 ? '<arg_key>' : names[0]!
  reporter.report(invalidDefinitionDescription, [keyword, shown], instruction)
}
