/** Joins control groups and raises the loopback interface: what has to happen inside the new namespaces. */
import fs from 'node:fs'
import { check, raw } from '../native/libc.ts'
import { CLONE } from '../native/process.ts'

/** Joins the groups, then makes them the root of a cgroup namespace, so that the names above are not seen. */
export function joinControlGroups(directories: readonly string[]): void {
  for (const directory of directories) fs.writeFileSync(`${directory}/cgroup.procs`, '0')
  // Missing before Linux 4.6: the process then sees its place in the tree, which is all it loses.
  raw.unshare(CLONE.NEWCGROUP)
}

/** `ip link set lo up` in a fresh network namespace. */
export function raiseLoopback(): void {
  const AF_INET = 2
  const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000
  const SIOCSIFFLAGS = 0x8914
  const IFF_UP = 1
  const socket = check(raw.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0), 'socket')
  const request = Buffer.alloc(64)
  request.write('lo')
  request.writeUInt16LE(IFF_UP, 16)
  check(raw.ioctl(socket, SIOCSIFFLAGS, request), 'ioctl SIOCSIFFLAGS', 'lo')
  fs.closeSync(socket)
}
