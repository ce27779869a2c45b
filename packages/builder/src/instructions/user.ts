/** USER: sets the user of later commands and of the image. */
import type { InstructionDef } from './definition.ts'
import { readFlags } from './flags.ts'
import type { UserNode } from './nodes.ts'
import { singleArgument } from './single-argument.ts'

export const user: InstructionDef<UserNode> = {
  keyword: 'USER',
  flags: {},
  onbuild: true,
  parse(raw, { file }) {
    const user = singleArgument(raw)
    readFlags(raw, {}, file)
    return { kind: 'USER', raw, user }
  },
}
