/** Makes a root filesystem the root of this mount namespace, with the mounts that a container has. */
import fs from 'node:fs'
import type { InitSpec, InitStatus } from '../init-protocol.ts'
import { mountAll } from '../mounts/apply.ts'
import { allMounts } from '../mounts/order.ts'
import { MountPoints, type Stub } from '../mounts/points.ts'
import { AT_FDCWD, O_DIRECTORY, O_PATH, openAt } from '../native/files.ts'
import { bindOn, MS, mount, moveOn, pivotTo } from '../native/mount.ts'
import { resolveInRoot } from '../native/resolve.ts'
import type { Staged } from './stage.ts'
import { mountStandard, onPoint, STANDARD_PLACES, standardMounts } from './standard-mounts.ts'

/**
 * Mounts everything and pivots. Mount points that had to be made are told as `stub`.
 *
 * @param staged has the standard mounts, if they were made beforehand
 */
export function enterRootfs(spec: InitSpec, tell: (message: InitStatus) => void, staged: Staged | undefined): void {
  const wanted = spec.process
  const sandboxed = wanted.security === 'sandbox'
  mount(null, '/', null, MS.REC | MS.PRIVATE)
  const below = openAt(AT_FDCWD, spec.rootfs, O_PATH | O_DIRECTORY)
  // A mount of its own can be pivoted to, and device nodes in it do not open: there is no need for a device cgroup.
  bindOn(below, below, { nodev: sandboxed })
  const root = openAt(AT_FDCWD, spec.rootfs, O_PATH | O_DIRECTORY)
  const points = new MountPoints(root, (stub) => tell(stubMessage(stub)))
  if (staged === undefined) mountStandard(root, standardMounts(spec))
  else for (const place of STANDARD_PLACES) onPoint(root, place, (fd) => moveOn(staged.mounts + place, fd))
  const dev = resolveInRoot(root, '/dev', { noLinks: true }).fd
  mountAll(points, allMounts(wanted), { sandboxed, scratch: dev })
  fs.closeSync(dev)
  pivotTo(root)
}

/** Tells the worker of a mount point that was made. */
export function stubMessage({ path, kind, parentAtimeNs, parentMtimeNs }: Stub): InitStatus {
  return { type: 'stub', path, kind, atimeNs: String(parentAtimeNs), mtimeNs: String(parentMtimeNs) }
}
