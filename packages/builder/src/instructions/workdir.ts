/** WORKDIR: sets the working directory, and makes it. */
import type { InstructionDef } from './definition.ts'
import { readFlags } from './flags.ts'
import type { WorkdirNode } from './nodes.ts'
import { singleArgument } from './single-argument.ts'

export const workdir: InstructionDef<WorkdirNode> = {
  keyword: 'WORKDIR',
  flags: {},
  onbuild: true,
  parse(raw, { file }) {
    const path = singleArgument(raw)
    readFlags(raw, {}, file)
    return { kind: 'WORKDIR', raw, path }
  },
}
