/**
 * What can be made ready for a process before anything is known of it, by a clone that has been in its namespaces for a
 * while: a session, the bound of its capabilities, and the standard mounts on a tmpfs of its own, from where they are
 * moved into the root filesystem.
 *
 * The mounts that the worker makes meanwhile have to reach this namespace: what it mounts root filesystems on is shared
 * (snapshot/overlay-places.ts), and everything here is a slave of it.
 */
import fs from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { parseCapabilitySet } from '../../util/capability-set.ts'
import type { InitSpec } from '../init-protocol.ts'
import { defaultCapabilities, dropBounding } from '../native/capabilities.ts'
import { AT_FDCWD, O_DIRECTORY, O_PATH, openAt } from '../native/files.ts'
import { MS, mount } from '../native/mount.ts'
import { CLONE } from '../native/process.ts'
import { mountStandard, standardMounts, usualMounts } from './standard-mounts.ts'

/** What was made ready. */
export interface Staged {
  /** Directory with the standard mounts. */
  readonly mounts: string
  /** This process's own entry in /proc, of the time before. */
  readonly status: string
}

/** The namespaces that every process gets. */
export const STAGED_FLAGS = CLONE.NEWNS | CLONE.NEWPID | CLONE.NEWIPC | CLONE.NEWUTS

/** @param directory any directory, which is hidden from now on */
export function stage(directory: string, singleId: boolean): Staged {
  const status = fs.readFileSync('/proc/self/status', 'latin1')
  dropBounding(defaultCapabilities, parseCapabilitySet(status, 'CapPrm'))
  mount(null, '/', null, MS.REC | MS.SLAVE)
  mount('tmpfs', directory, 'tmpfs', MS.NOSUID | MS.NODEV | MS.NOEXEC, 'mode=700')
  const mounts = `${directory}/root`
  fs.mkdirSync(mounts)
  mountStandard(openAt(AT_FDCWD, mounts, O_PATH | O_DIRECTORY), usualMounts(singleId))
  return { mounts, status }
}

/** Whether what is staged is what this process gets. */
export function suitsStage(spec: InitSpec): boolean {
  return (
    spec.process.network === 'host' &&
    // What is bounded once cannot be had again.
    (spec.process.capabilities ?? []).every((name) => defaultCapabilities.includes(name)) &&
    // Control groups have to be joined before their file system is mounted.
    spec.cgroups.length === 0 &&
    isDeepStrictEqual(standardMounts(spec), usualMounts(spec.singleId))
  )
}
