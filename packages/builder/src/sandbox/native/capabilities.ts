/** How a process gives capabilities up. */

import { hasCode } from '../../util/has-code.ts'
import { type Capability, capabilityNames, defaultCapabilities } from '../capability-names.ts'
import { check, raw, SystemError } from './libc.ts'
import { numbers } from './numbers.ts'

export { type Capability, capabilityNames, defaultCapabilities }

/**
 * Without namespaces two more go: chroot would lead out of the root, device nodes to the machine. And since processes may
 * trace only those with no more rights than their own, the worker is out of reach.
 */
export const chrootCapabilities = defaultCapabilities.filter((name) => name !== 'SYS_CHROOT' && name !== 'MKNOD')

const PR_CAPBSET_DROP = 24
const PR_CAP_AMBIENT = 47
const PR_CAP_AMBIENT_CLEAR_ALL = 4
const CAPABILITY_VERSION_3 = 0x20080522

/**
 * Takes every capability but `keep` out of the bounding set, and all out of the ambient set: no exec brings them back.
 * A process that may not change its bounding set (`has` is what it has) keeps it.
 */
export function dropBounding(keep: readonly Capability[], has: bigint): void {
  if (!hasCapability(has, 'SETPCAP')) return
  for (const [number, name] of capabilityNames.entries()) {
    if (keep.includes(name)) continue
    try {
      check(raw.prctl(PR_CAPBSET_DROP, number, 0, 0, 0), 'prctl PR_CAPBSET_DROP', name)
    } catch (error) {
      // A kernel older than the capability.
      if (!hasCode(error, 'EINVAL')) throw error
    }
  }
  // Missing before Linux 4.3, where there is nothing to clear.
  raw.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
}

/** Sets the effective and permitted capabilities to `keep` at most; the inheritable set becomes empty, as docker has it. */
export function setCapabilities(keep: readonly Capability[], has: bigint): void {
  if (numbers === undefined) throw new SystemError('capset', 38)
  let wanted = 0n
  for (const name of keep) wanted |= 1n << BigInt(capabilityNames.indexOf(name))
  const set = wanted & has
  const header = Buffer.alloc(64)
  header.writeUInt32LE(CAPABILITY_VERSION_3, 0)
  const data = Buffer.alloc(64)
  for (const [word, shift] of [0n, 32n].entries()) {
    const bits = Number((set >> shift) & 0xffffffffn)
    data.writeUInt32LE(bits, word * 12)
    data.writeUInt32LE(bits, word * 12 + 4)
  }
  check(raw.syscallBuffer2(numbers.capset, header, data), 'capset')
}

/** Whether a set has a capability. */
export function hasCapability(set: bigint, name: Capability): boolean {
  return ((set >> BigInt(capabilityNames.indexOf(name))) & 1n) === 1n
}
