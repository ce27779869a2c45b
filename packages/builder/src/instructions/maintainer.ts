/** MAINTAINER: sets the author (deprecated: use LABEL). */
import type { InstructionDef } from './definition.ts'
import { readFlags } from './flags.ts'
import type { MaintainerNode } from './nodes.ts'
import { singleArgument } from './single-argument.ts'

export const maintainer: InstructionDef<MaintainerNode> = {
  keyword: 'MAINTAINER',
  flags: {},
  onbuild: false,
  parse(raw, { file }) {
    const maintainer = singleArgument(raw)
    readFlags(raw, {}, file)
    return { kind: 'MAINTAINER', raw, maintainer }
  },
}
