/** All that the standard mounts depend on. */
export interface StandardMounts {
  readonly sandboxed: boolean
  /** There is one mapped id only. */
  readonly singleId: boolean
  /** Bytes of /dev/shm; undefined: something else is mounted there. */
  readonly shmSize: number | undefined
  /** Descriptor 0 is a terminal, which is shown as /dev/console. */
  readonly terminal: boolean
}

/** Paths of /proc and /sys that a container does not get to see, or to write: docker's lists. */

export const maskedDirectories = {
  proc: ['acpi', 'asound', 'scsi'],
  sys: ['firmware', 'devices/virtual/powercap'],
} as const

export const maskedFiles = {
  proc: ['interrupts', 'kcore', 'keys', 'latency_stats', 'timer_list', 'timer_stats', 'sched_debug'],
  sys: [],
} as const

export const readonlyPaths = {
  proc: ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'],
  sys: [],
} as const

/** Device nodes of /dev, with their numbers. */
export const devices = {
  null: [1, 3],
  zero: [1, 5],
  full: [1, 7],
  random: [1, 8],
  urandom: [1, 9],
  tty: [5, 0],
} as const

/** Links of /dev. */
export const deviceLinks = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['core', '/proc/kcore'],
  ['ptmx', 'pts/ptmx'],
] as const

/** Bytes of /dev/shm unless the caller says otherwise, as docker has it. */
export const defaultShmSize = 64 * 1024 * 1024
