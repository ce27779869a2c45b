/** LABEL: sets labels of the image. */
import type { InstructionDef } from './definition.ts'
import { readFlags } from './flags.ts'
import { keyValues } from './key-values.ts'
import type { LabelNode } from './nodes.ts'

export const label: InstructionDef<LabelNode> = {
  keyword: 'LABEL',
  flags: {},
  onbuild: true,
  parse(raw, { file }) {
    readFlags(raw, {}, file)
    return { kind: 'LABEL', raw, pairs: keyValues(raw) }
  },
}
