/** ENV: sets environment variables of the image. */
import type { InstructionDef } from './definition.ts'
import { readFlags } from './flags.ts'
import { keyValues } from './key-values.ts'
import type { EnvNode } from './nodes.ts'

export const env: InstructionDef<EnvNode> = {
  keyword: 'ENV',
  flags: {},
  onbuild: true,
  parse(raw, { file }) {
    readFlags(raw, {}, file)
    return { kind: 'ENV', raw, pairs: keyValues(raw) }
  },
}
