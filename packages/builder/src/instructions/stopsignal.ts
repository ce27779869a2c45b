/** STOPSIGNAL: sets the signal that ends a container. */
import type { InstructionDef } from './definition.ts'
import type { StopsignalNode } from './nodes.ts'
import { singleArgument } from './single-argument.ts'

export const stopsignal: InstructionDef<StopsignalNode> = {
  keyword: 'STOPSIGNAL',
  flags: undefined,
  onbuild: true,
  parse: (raw) => ({ kind: 'STOPSIGNAL', raw, signal: singleArgument(raw) }),
}
