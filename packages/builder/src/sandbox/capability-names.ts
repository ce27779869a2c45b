/** Linux capabilities by number, and docker's default set. Leaf module: the main process knows the names too. */

/** In the order of their numbers: CAP_CHOWN is 0. */
export const capabilityNames = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
] as const

export type Capability = (typeof capabilityNames)[number]

/** What docker and BuildKit leave a container's root: 0xa80425fb. */
export const defaultCapabilities: readonly Capability[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SYS_CHROOT',
  'MKNOD',
  'AUDIT_WRITE',
  'SETFCAP',
]

/**
 * The set that is left of docker's default by what is added and taken away, in docker's order of precedence; names with or
 * without `CAP_`, in any case, or `ALL`.
 *
 * @returns undefined for the default itself; a text is the name that is unknown
 */
export function chooseCapabilities(
  added: readonly string[],
  dropped: readonly string[],
): readonly Capability[] | string | undefined {
  if (added.length + dropped.length === 0) return undefined
  const sets = [added, dropped].map((words) => words.map((word) => word.toUpperCase().replace(/^CAP_/, '')))
  const known = new Set<string>([...capabilityNames, 'ALL'])
  const unknown = sets.flat().find((name) => !known.has(name))
  if (unknown !== undefined) return unknown
  const [adds, drops] = sets.map((words) => new Set(words)) as [Set<string>, Set<string>]
  if (adds.has('ALL')) return capabilityNames.filter((name) => !drops.has(name))
  if (drops.has('ALL')) return capabilityNames.filter((name) => adds.has(name))
  return capabilityNames.filter((name) => adds.has(name) || (defaultCapabilities.includes(name) && !drops.has(name)))
}
