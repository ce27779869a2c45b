/** SHELL: sets the program that runs commands in shell form. */
import type { InstructionDef } from './definition.ts'
import { instructionErrors } from './errors.ts'
import { readFlags } from './flags.ts'
import type { ShellNode } from './nodes.ts'

export const shell: InstructionDef<ShellNode> = {
  keyword: 'SHELL',
  flags: {},
  onbuild: true,
  parse(raw, { file }) {
    readFlags(raw, {}, file)
    if (raw.words.length === 0) throw instructionErrors.atLeastOneArgument(['SHELL'])
    if (raw.form !== 'exec') throw instructionErrors.shellNotJson(['SHELL'])
    return { kind: 'SHELL', raw, shell: raw.words.map((word) => word.text) }
  },
}
