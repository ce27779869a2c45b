/** ARG: declares build arguments. */
import type { InstructionDef } from './definition.ts'
import { instructionErrors } from './errors.ts'
import type { ArgNode } from './nodes.ts'

export const arg: InstructionDef<ArgNode> = {
  keyword: 'ARG',
  flags: undefined,
  onbuild: true,
  parse(raw) {
    if (raw.words.length === 0) throw instructionErrors.atLeastOneArgument(['ARG'])
    const args = raw.words.map(({ text }) => {
      const equals = text.indexOf('=')
      if (equals === 0) throw instructionErrors.blankName(['ARG'])
      return equals < 0
        ? { key: text, value: undefined }
        : { key: text.slice(0, equals), value: text.slice(equals + 1) }
    })
    return { kind: 'ARG', raw, args }
  },
}
