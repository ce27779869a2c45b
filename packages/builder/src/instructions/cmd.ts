/** CMD: sets what the image runs by default. */
import { commandLine } from './command-line.ts'
import type { InstructionDef } from './definition.ts'
import { readFlags } from './flags.ts'
import type { CmdNode } from './nodes.ts'

export const cmd: InstructionDef<CmdNode> = {
  keyword: 'CMD',
  flags: {},
  onbuild: true,
  parse(raw, { file }) {
    readFlags(raw, {}, file)
    return { kind: 'CMD', raw, command: commandLine(raw) }
  },
}
