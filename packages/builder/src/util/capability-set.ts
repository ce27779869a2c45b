/** Capabilities of a process as the kernel tells them. Leaf module. */

/** A set as /proc/PID/status shows it. */
export function parseCapabilitySet(status: string, name: 'CapEff' | 'CapPrm' | 'CapBnd'): bigint {
  const digits = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1]
  return BigInt(`0x${digits ?? '0'}`)
}
