/** RUN: runs a command and keeps what it changes as a layer. */
import { commandLine } from './command-line.ts'
import type { InstructionDef } from './definition.ts'
import { parseDevice } from './device.ts'
import { instructionErrors } from './errors.ts'
import { readFlags } from './flags.ts'
import { parseMount } from './mount.ts'
import type { RunNode } from './nodes.ts'

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
      mounts: values.all('mount').map((flag) => parseMount(flag, file)),
      network,
      security,
      devices: values.all('device').map((flag) => parseDevice(flag, file)),
    }
  },
}
