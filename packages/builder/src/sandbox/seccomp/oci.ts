/** The system call profile in the words of the OCI runtime specification. */
import type { Capability } from '../capability-names.ts'
import { AF_VSOCK, allowedNames, harmlessPersonalities, namespaceFlags, unlockedCalls } from './profile.ts'

const architectures: Readonly<Record<string, readonly string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
  riscv64: ['SCMP_ARCH_RISCV64'],
}
const EPERM = 1
const ENOSYS = 38

/** `linux.seccomp` of config.json for a machine (as `process.arch`); undefined for machines without a profile. */
export function ociProfile(machine: string, capabilities: readonly Capability[] = []): unknown {
  const known = architectures[machine]
  if (known === undefined) return undefined
  const allow = (name: string, index: number, value: number, op: string, valueTwo?: number): unknown => ({
    names: [name],
    action: 'SCMP_ACT_ALLOW',
    args: [{ index, value, op, ...(valueTwo === undefined ? {} : { valueTwo }) }],
  })
  // clone3 stays missing: programs fall back to clone.
  const unlocked = unlockedCalls(capabilities).filter((name) => name !== 'clone3')
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: known,
    syscalls: [
      { names: allowedNames, action: 'SCMP_ACT_ALLOW' },
      ...(unlocked.length === 0 ? [] : [{ names: unlocked, action: 'SCMP_ACT_ALLOW' }]),
      allow('clone', 0, namespaceFlags, 'SCMP_CMP_MASKED_EQ', 0),
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
      ...harmlessPersonalities.map((value) => allow('personality', 0, value, 'SCMP_CMP_EQ')),
      allow('socket', 0, AF_VSOCK, 'SCMP_CMP_NE'),
    ],
  }
}
