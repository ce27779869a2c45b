/** Processes: cloning into namespaces, waiting, credentials, limits. */
import fs from 'node:fs'
import { check, raw, SystemError } from './libc.ts'
import { numbers } from './numbers.ts'

export const CLONE = {
  NEWNS: 0x20000,
  NEWCGROUP: 0x2000000,
  NEWUTS: 0x4000000,
  NEWIPC: 0x8000000,
  NEWUSER: 0x10000000,
  NEWPID: 0x20000000,
  NEWNET: 0x40000000,
} as const
const SIGCHLD = 17
const MADV_DOFORK = 11
const POLLIN = 1
const PR_SET_PDEATHSIG = 1
const PR_SET_CHILD_SUBREAPER = 36
const SIG_SETMASK = 2
const SIG_DFL = 0

function nr(): NonNullable<typeof numbers> {
  if (numbers === undefined) throw new SystemError('syscall', 38)
  return numbers
}

/** Everything between the lowest addresses and the kernel's own mappings at the top of the address space. */
export interface CloneableMemory {
  readonly start: bigint
  readonly length: bigint
}

/** The range of memory that {@link cloneProcess} makes copyable; looked up once. */
export function cloneableMemory(): CloneableMemory {
  const start = 0x10000n
  let end = start
  for (const line of fs.readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    if (line.includes('[vvar') || line.includes('[vdso') || line.includes('[stack')) break
    const last = /^[0-9a-f]+-([0-9a-f]+)/.exec(line)?.[1]
    if (last !== undefined) end = BigInt(`0x${last}`)
  }
  return { start, length: end - start }
}

/**
 * Clones this process into new namespaces: 0 in the child, its pid in the parent.
 *
 * Only for a process without other working threads (`node --single-threaded`), and only for a child that soon execs or
 * exits: it has this thread alone. V8 marks its heap as not to be copied to children; that mark is taken off before.
 */
export function cloneProcess(flags: number, memory: CloneableMemory): number {
  // Holes in the range are reported as ENOMEM after everything else was done.
  raw.madvise(memory.start, memory.length, MADV_DOFORK)
  return check(raw.syscall(nr().clone, flags | SIGCHLD, 0, 0, 0, 0, 0), 'clone')
}

/** A descriptor that becomes readable when the process ends; undefined before Linux 5.3. */
export function openPidFd(pid: number): number | undefined {
  const fd = Number(raw.syscall(nr().pidfdOpen, pid, 0, 0, 0, 0, 0))
  return fd < 0 ? undefined : fd
}

/** Waits until one of the descriptors is readable or closed, or `timeout` milliseconds are over (-1: for ever). */
export function waitReadable(fds: readonly number[], timeout: number): boolean[] {
  const set = Buffer.alloc(Math.max(64, fds.length * 8))
  for (const [i, fd] of fds.entries()) {
    set.writeInt32LE(fd, i * 8)
    set.writeInt16LE(POLLIN, i * 8 + 4)
  }
  // An interrupted wait counts as one without news.
  raw.poll(set, fds.length, timeout)
  return fds.map((_, i) => set.readInt16LE(i * 8 + 6) !== 0)
}

export interface Reaped {
  readonly pid: number
  readonly exitCode: number
  /** Number of the signal that ended it. */
  readonly signal: number | undefined
  readonly cpuSeconds: number
  /** Bytes, of the largest process among it and the children it waited for. */
  readonly peakMemory: number
}

/** Collects one child that has ended (`pid` -1: any); undefined when none has. */
export function reap(pid: number, block = false): Reaped | undefined {
  const status = Buffer.alloc(64)
  const usage = Buffer.alloc(256)
  const ended = raw.wait4(pid, status, block ? 0 : 1, usage)
  if (ended <= 0) return undefined
  const word = status.readInt32LE(0)
  const signal = word & 0x7f
  const seconds = (at: number): number => Number(usage.readBigInt64LE(at)) + Number(usage.readBigInt64LE(at + 8)) / 1e6
  return {
    pid: ended,
    exitCode: signal === 0 ? (word >> 8) & 0xff : 128 + signal,
    signal: signal === 0 ? undefined : signal,
    cpuSeconds: seconds(0) + seconds(16),
    peakMemory: Number(usage.readBigInt64LE(32)) * 1024,
  }
}

/** SIGKILLs this process when the thread that started it ends. */
export function dieWithParent(signal = 9): void {
  check(raw.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0), 'prctl PR_SET_PDEATHSIG')
}

/** Orphans below this process become its children, so that they can be found and killed. */
export function adoptOrphans(): void {
  check(raw.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 'prctl PR_SET_CHILD_SUBREAPER')
}

/** All signals act by default and none is blocked: Node ignores SIGPIPE and SIGXFSZ, which programs would inherit. */
export function resetSignals(): void {
  for (let number = 1; number <= 64; number++) raw.signal(number, SIG_DFL)
  raw.sigprocmask(SIG_SETMASK, Buffer.alloc(128), null)
}

export function setGroups(gids: readonly number[]): void {
  const list = Buffer.alloc(Math.max(64, gids.length * 4))
  for (const [i, gid] of gids.entries()) list.writeUInt32LE(gid, i * 4)
  check(raw.syscallIntBuffer(nr().setgroups, gids.length, list), 'setgroups')
}

/** Real, effective and saved ids, group first. */
export function setIds(uid: number, gid: number): void {
  check(raw.syscall(nr().setresgid, gid, gid, gid, 0, 0, 0), 'setresgid', String(gid))
  check(raw.syscall(nr().setresuid, uid, uid, uid, 0, 0, 0), 'setresuid', String(uid))
}

/** A session keyring of its own, so that the caller's keys are out of reach; not fatal where keyrings are missing. */
export function newSessionKeyring(): void {
  const KEYCTL_JOIN_SESSION_KEYRING = 1
  raw.syscall(nr().keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0, 0)
}

/** Descriptors from `first` on are closed at exec, whoever opened them. */
export function closeOnExecFrom(first: number): void {
  const CLOSE_RANGE_CLOEXEC = 4
  if (Number(raw.syscall(nr().closeRange, first, 0xffffffff, CLOSE_RANGE_CLOEXEC, 0, 0, 0)) === 0) return
  const F_SETFD = 2
  for (const name of fs.readdirSync('/proc/self/fd')) if (Number(name) >= first) raw.fcntl(Number(name), F_SETFD, 1)
}
