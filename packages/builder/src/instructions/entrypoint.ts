/** ENTRYPOINT: sets the program that the image is. */
import { commandLine } from './command-line.ts'
import type { InstructionDef } from './definition.ts'
import { readFlags } from './flags.ts'
import type { EntrypointNode } from './nodes.ts'

export const entrypoint: InstructionDef<EntrypointNode> = {
  keyword: 'ENTRYPOINT',
  flags: {},
  onbuild: true,
  parse(raw, { file }) {
    readFlags(raw, {}, file)
    return { kind: 'ENTRYPOINT', raw, command: commandLine(raw) }
  },
}
