/** ONBUILD: keeps an instruction for the build that uses the image as its base. */
import { trimSpace } from '../util/go-text.ts'
import type { InstructionDef } from './definition.ts'
import { instructionErrors } from './errors.ts'
import { readFlags } from './flags.ts'
import type { OnbuildNode } from './nodes.ts'

export const onbuild: InstructionDef<OnbuildNode> = {
  keyword: 'ONBUILD',
  flags: {},
  onbuild: false,
  parse(raw, { file }) {
    if (raw.words.length === 0) throw instructionErrors.atLeastOneArgument(['ONBUILD'])
    readFlags(raw, {}, file)
    const trigger = trimSpace(raw.words[0]!.text).toUpperCase()
    if (trigger === 'ONBUILD') throw instructionErrors.onbuildChained([])
    if (trigger === 'MAINTAINER' || trigger === 'FROM') throw instructionErrors.onbuildTrigger([trigger])
    const text = raw.original.replace(/^\s*onbuild\s*/i, '')
    return { kind: 'ONBUILD', raw, expression: text + raw.heredocs.map((doc) => `\n${doc.raw}${doc.name}`).join('') }
  },
}
