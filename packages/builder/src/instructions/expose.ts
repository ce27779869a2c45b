/** EXPOSE: names ports that the image listens on. */
import type { InstructionDef } from './definition.ts'
import { instructionErrors } from './errors.ts'
import { readFlags } from './flags.ts'
import type { ExposeNode } from './nodes.ts'

export const expose: InstructionDef<ExposeNode> = {
  keyword: 'EXPOSE',
  flags: {},
  onbuild: true,
  parse(raw, { file }) {
    if (raw.words.length === 0) throw instructionErrors.atLeastOneArgument(['EXPOSE'])
    readFlags(raw, {}, file)
    // Sorted as the reference has them, in the history as well.
    return { kind: 'EXPOSE', raw, ports: raw.words.map((word) => word.text).sort() }
  },
}
