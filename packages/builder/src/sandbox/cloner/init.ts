/**
 * Becomes the program of a RUN: runs in a fresh clone (cloner.ts), sets up what a container has, and execs. The order
 * matters: mounts while everything is still allowed, the filter before the capabilities it needs are gone, the user
 * last. Never returns; what goes wrong is told on the status pipe.
 */
import fs from 'node:fs'
import { parseCapabilitySet } from '../../util/capability-set.ts'
import { hasCode } from '../../util/has-code.ts'
import { enterOwnMounts } from '../chroot/own-mounts.ts'
import { decodeSpec, type InitDescriptors, type InitSpec, type InitStatus } from '../init-protocol.ts'
import { raiseHardLimits, tameOpenFiles } from '../limits/rlimit.ts'
import { joinControlGroups, raiseLoopback } from '../namespaces/isolation.ts'
import { enterRootfs } from '../namespaces/rootfs.ts'
import type { Staged } from '../namespaces/stage.ts'
import {
  type Capability,
  chrootCapabilities,
  defaultCapabilities,
  dropBounding,
  hasCapability,
  setCapabilities,
} from '../native/capabilities.ts'
import { readMemoryFile } from '../native/descriptors.ts'
import { AT_FDCWD, O_DIRECTORY, O_PATH, openAt } from '../native/files.ts'
import { keepToOneself } from '../native/landlock.ts'
import { check, raw } from '../native/libc.ts'
import { remountReadonly } from '../native/mount.ts'
import {
  type CloneableMemory,
  closeOnExecFrom,
  newSessionKeyring,
  resetSignals,
  setGroups,
  setIds,
} from '../native/process.ts'
import { loadFilter } from '../seccomp/load.ts'
import { ExecError, execProcess } from './exec.ts'
import { takeOwnNull } from './input.ts'
import { superviseClone } from './supervise.ts'
import { enterDirectory } from './working-directory.ts'

class UserError extends Error {}

/**
 * Sets up and execs. `fds` as in {@link InitDescriptors}.
 *
 * @param staged what {@link beginSession} and stage.ts have made, if this clone was there before the process was known
 */
export function runInit(fds: readonly number[], memory: CloneableMemory, staged?: Staged): never {
  const [specFd, stdin, stdout, stderr, status, life] = fds as unknown as InitDescriptors
  const tell = (message: InitStatus): void => {
    fs.writeSync(status, `${JSON.stringify(message)}\n`)
  }
  try {
    const spec = decodeSpec(readMemoryFile(specFd))
    fs.closeSync(specFd)
    raw.dup2(stdin, 0)
    raw.dup2(stdout, 1)
    raw.dup2(stderr, 2)
    if (spec.waitForGo) {
      // /proc is still the worker's, so this is the pid that the worker knows.
      tell({ type: 'pid', pid: Number(fs.readlinkSync('/proc/self')) })
      if (fs.readSync(life, Buffer.alloc(1)) === 0) raw.exit(1)
    }
    if (spec.mode === 'namespaces') {
      setUp(spec, tell, staged)
      if (spec.process.init) {
        // Until the program is executed, nobody in there may look into this process or take its descriptors.
        hideMemory()
        superviseClone(life, memory, tell, { orphans: true })
      }
    } else {
      superviseClone(life, memory, tell)
      setUpChroot(spec, tell)
    }
    closeOnExecFrom(3)
    resetSignals()
    tell({ type: 'ready' })
    execProcess(spec.process)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const kind = error instanceof ExecError ? 'exec' : error instanceof UserError ? 'user' : 'setup'
    const exitCode = error instanceof ExecError ? error.exitCode : 125
    try {
      tell({ type: 'failed', kind, message, exitCode })
    } finally {
      // Also when nobody listens any more: a clone that ended as Node does would wait for threads that it does not have.
      raw.exit(exitCode)
    }
  }
  // Not reached: exec replaced the program or _exit ended it.
  return process.abort()
}

const PR_SET_DUMPABLE = 4

/** As for a program that may not be read: its /proc entries belong to root outside. An exec ends it. */
function hideMemory(): void {
  check(raw.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), 'prctl PR_SET_DUMPABLE')
}

/** A session that shares no terminal and no keys with anybody. */
export function beginSession(): void {
  raw.setsid()
  newSessionKeyring()
}

function setUp(spec: InitSpec, tell: (message: InitStatus) => void, staged: Staged | undefined): void {
  const { process: wanted } = spec
  if (staged === undefined) {
    beginSession()
    if (spec.terminal) takeTerminal()
    joinControlGroups(spec.cgroups)
  }
  if (wanted.network !== 'host') raiseLoopback()
  if (wanted.hostname !== '') check(raw.sethostname(wanted.hostname, Buffer.byteLength(wanted.hostname)), 'sethostname')
  const status = staged?.status ?? fs.readFileSync('/proc/self/status', 'latin1')
  process.umask(0)
  enterRootfs(spec, tell, staged)
  process.umask(0o022)
  takeOwnNull()
  tameOpenFiles()
  raiseHardLimits(wanted.ulimits)
  enterDirectory(wanted)
  if (wanted.readonlyRoot) {
    const root = openAt(AT_FDCWD, '/', O_PATH | O_DIRECTORY)
    remountReadonly(root)
    fs.closeSync(root)
  }
  const keep = wanted.capabilities ?? defaultCapabilities
  dropPrivileges(spec, status, keep, staged !== undefined && wanted.capabilities === undefined)
}

/** The root alone is another one; without mounts of its own, the worker has put files where they would be. */
function setUpChroot(spec: InitSpec, tell: (message: InitStatus) => void): void {
  const { process: wanted } = spec
  beginSession()
  if (spec.terminal) takeTerminal()
  for (const directory of spec.cgroups) fs.writeFileSync(`${directory}/cgroup.procs`, '0')
  const status = fs.readFileSync('/proc/self/status', 'latin1')
  process.umask(0)
  if (spec.ownMounts) enterOwnMounts(spec, tell)
  else process.chdir(spec.rootfs)
  check(raw.chroot('.'), 'chroot')
  process.chdir('/')
  takeOwnNull()
  process.umask(0o022)
  tameOpenFiles()
  raiseHardLimits(wanted.ulimits)
  enterDirectory(wanted)
  const { capabilities } = wanted
  const keep = chrootCapabilities.filter((name) => capabilities?.includes(name) ?? true)
  dropPrivileges(spec, status, keep, false)
}

/** Makes descriptor 0 the controlling terminal. */
function takeTerminal(): void {
  const TIOCSCTTY = 0x540e
  check(raw.ioctl(0, TIOCSCTTY, Buffer.alloc(64)), 'ioctl TIOCSCTTY')
}

/** @param bounded whether the bound of the capabilities has been set already */
function dropPrivileges(spec: InitSpec, status: string, keep: readonly Capability[], bounded: boolean): void {
  const { user, security } = spec.process
  const permitted = parseCapabilitySet(status, 'CapPrm')
  if (security === 'sandbox' && !bounded) dropBounding(keep, permitted)
  try {
    if (!spec.singleId) setGroups(user.additionalGids)
    // Must be done while CAP_SYS_ADMIN is there: without it the kernel asks for no_new_privs, which would take sudo and
    // other set-uid programs away, if the container that this is has not done so already.
    if (security === 'sandbox' && (hasCapability(permitted, 'SYS_ADMIN') || /^NoNewPrivs:\s*1/m.test(status))) {
      if (spec.mode === 'chroot') keepToOneself()
      if (spec.seccomp !== undefined) loadFilter(spec.seccomp)
    }
    setIds(user.uid, user.gid)
  } catch (error) {
    if (hasCode(error, 'EINVAL')) throw new UserError(`user ${user.uid}:${user.gid}`)
    throw error
  }
  // Changing away from uid 0 has emptied the sets already.
  if (security === 'sandbox' && user.uid === 0) setCapabilities(keep, permitted)
}
