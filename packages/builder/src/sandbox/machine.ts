/** Facts about the process that executors depend on: read in the worker, once, when it makes its executor. */
import fs from 'node:fs'
import { parseCapabilitySet } from '../util/capability-set.ts'
import { hasCapability } from './native/capabilities.ts'

export interface MachineFacts {
  /** Inside a user namespace other than the machine's first. */
  readonly userNamespace: boolean
  /** Only one user id is mapped. */
  readonly singleId: boolean
  /** What mounting, chroot and seccomp depend on. */
  readonly canMount: boolean
  readonly canChroot: boolean
  /** Capabilities this process has. */
  readonly capabilities: bigint
  /** The kernel can filter system calls. */
  readonly seccomp: boolean
}

/** Reads the facts from /proc. */
export function machineFacts(): MachineFacts {
  const status = fs.readFileSync('/proc/self/status', 'latin1')
  const effective = parseCapabilitySet(status, 'CapEff')
  const map = fs
    .readFileSync('/proc/self/uid_map', 'latin1')
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
  const whole = map.length === 1 && map[0]![0] === 0 && map[0]![1] === 0 && map[0]![2] === 4294967295
  return {
    userNamespace: !whole,
    singleId: map.reduce((sum, line) => sum + (line[2] ?? 0), 0) === 1,
    capabilities: effective,
    canMount: hasCapability(effective, 'SYS_ADMIN'),
    canChroot: hasCapability(effective, 'SYS_CHROOT'),
    seccomp: /^Seccomp:/m.test(status),
  }
}
