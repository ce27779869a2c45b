/**
 * Mounts of a process that is isolated by another root only: in a mount namespace of its own, where the machine allows
 * that, so that nothing of them has to be taken back.
 */
import fs from 'node:fs'
import type { InitSpec, InitStatus } from '../init-protocol.ts'
import { mountAll } from '../mounts/apply.ts'
import { allMounts } from '../mounts/order.ts'
import { MountPoints } from '../mounts/points.ts'
import { mountDev } from '../namespaces/dev.ts'
import { stubMessage } from '../namespaces/rootfs.ts'
import { onPoint, STANDARD_PLACES, standardMounts } from '../namespaces/standard-mounts.ts'
import { AT_FDCWD, O_DIRECTORY, O_PATH, openAt } from '../native/files.ts'
import { check, raw } from '../native/libc.ts'
import { bindOn, MS, mount, mountOn, remountReadonly } from '../native/mount.ts'
import { resolveInRoot } from '../native/resolve.ts'
import { procFiles } from './proc-files.ts'

/** Mounts everything in this mount namespace and enters the root. The umask is 0. */
export function enterOwnMounts(spec: InitSpec, tell: (message: InitStatus) => void): void {
  const sandboxed = spec.process.security === 'sandbox'
  const files = procFiles()
  mount(null, '/', null, MS.REC | MS.PRIVATE)
  const below = openAt(AT_FDCWD, spec.rootfs, O_PATH | O_DIRECTORY)
  bindOn(below, below, { nodev: sandboxed })
  const root = openAt(AT_FDCWD, spec.rootfs, O_PATH | O_DIRECTORY)
  for (const place of STANDARD_PLACES) onPoint(root, place, () => undefined)
  mountDev(root, standardMounts(spec))
  onPoint(root, '/proc', (fd) => mountOn(fd, 'tmpfs', MS.NOSUID | MS.NODEV | MS.NOEXEC, 'mode=555,size=4m'))
  const proc = resolveInRoot(root, '/proc').fd
  for (const [name, content] of files) fs.writeFileSync(`/proc/self/fd/${proc}/${name}`, content, { mode: 0o444 })
  fs.closeSync(proc)
  const points = new MountPoints(root, (stub) => tell(stubMessage(stub)))
  const dev = resolveInRoot(root, '/dev', { noLinks: true }).fd
  mountAll(points, allMounts(spec.process), { sandboxed, scratch: dev })
  fs.closeSync(dev)
  if (spec.process.readonlyRoot) remountReadonly(root)
  check(raw.fchdir(root), 'fchdir')
}
