/** RUN: runs a command and keeps what it changes as a layer. */
import type { Flag } from '../dockerfile/ast.ts'
import { commandLine } from './command-line.ts'
import type { InstructionDef } from './definition.ts'
import { parseDevice } from './device.ts'
import { instructionErrors } from './errors.ts'
import { readFlags } from './flags.ts'
import { parseMount } from './mount.ts'
import type { RunNode } from './nodes.ts'

const none: readonly never[] = []
const flags = { mount: 'list', network: 'value', security: 'value', device: 'list' } as const

export const run: InstructionDef<RunNode> = {
  keyword: 'RUN',
  flags,
  onbuild: true,
  parse(raw, { file }) {
    const values = readFlags(raw, flags, file)
    const network = values.value('network')
    if (network !== undefined && network !== 'default' && network !== 'none' && network !== 'host') {
      throw instructionErrors.network([network])
    }
    const security = values.value('security')
    if (security !== undefined && security !== 'sandbox' && security !== 'insecure') {
      throw instructionErrors.security([security])
    }
    return {
      kind: 'RUN',
      raw,
      command: commandLine(raw),
      mounts: list(values.all('mount'), (flag) => parseMount(flag, file)),
      network,
      security,
      devices: list(values.all('device'), (flag) => parseDevice(flag, file)),
    }
  },
}

/** `map` that makes no array where there is nothing to map, as for most commands. */
function list<T>(flags: readonly Flag[], parse: (flag: Flag) => T): readonly T[] {
  return flags.length === 0 ? none : flags.map(parse)
}
