/** Makes a root filesystem the root of this mount namespace, with the mounts that a container has. */
import fs from 'node:fs'
import { hasCode } from '../../util/has-code.ts'
import type { InitSpec, InitStatus } from '../cloner/protocol.ts'
import { mountAll } from '../mounts/apply.ts'
import { allMounts } from '../mounts/order.ts'
import { MountPoints } from '../mounts/points.ts'
import { maskedDirectories, maskedFiles, readonlyPaths } from '../mounts/standard.ts'
import { AT_FDCWD, O_DIRECTORY, O_NOFOLLOW, O_PATH, openAt, openIfThere } from '../native/files.ts'
import { bindOn, MS, mount, mountOn, pivotTo } from '../native/mount.ts'
import { type ResolveOptions, resolveInRoot } from '../native/resolve.ts'
import { mountDev } from './dev.ts'

const SAFE = MS.NOSUID | MS.NODEV | MS.NOEXEC
const CGROUP2_MAGIC = 0x63677270

/** Mounts everything and pivots. Mount points that had to be made are told as `stub`. */
export function enterRootfs(spec: InitSpec, tell: (message: InitStatus) => void): void {
  const wanted = spec.process
  const sandboxed = wanted.security === 'sandbox'
  mount(null, '/', null, MS.REC | MS.PRIVATE)
  const below = openAt(AT_FDCWD, spec.rootfs, O_PATH | O_DIRECTORY)
  // A mount of its own can be pivoted to, and device nodes in it do not open: there is no need for a device cgroup.
  bindOn(below, below, { nodev: sandboxed })
  const root = openAt(AT_FDCWD, spec.rootfs, O_PATH | O_DIRECTORY)
  const points = new MountPoints(root, (stub) =>
    tell({
      type: 'stub',
      path: stub.path,
      kind: stub.kind,
      atimeNs: String(stub.parentAtimeNs),
      mtimeNs: String(stub.parentMtimeNs),
    }),
  )

  for (const dir of ['/proc', '/dev', '/sys']) fs.closeSync(standard(root, dir))
  onPoint(root, '/proc', (fd) => mountOn(fd, 'proc', SAFE))
  mountDev(root, spec)
  onPoint(root, '/sys', mountSys)
  mountControlGroups(root)
  if (sandboxed) protect(root)

  mountAll(points, allMounts(wanted), { sandboxed })
  pivotTo(root)
}

/** The directory for a standard mount; a link there would send the mount elsewhere. */
function standard(root: number, path: string): number {
  const options: ResolveOptions = { create: 'directory', noLinks: true }
  try {
    return resolveInRoot(root, path, options).fd
  } catch (error) {
    if (hasCode(error, 'ELOOP', 'ENOTDIR')) throw new Error(`${path} must be an ordinary directory`)
    throw error
  }
}

function onPoint(root: number, path: string, use: (fd: number) => void): void {
  const fd = standard(root, path)
  use(fd)
  fs.closeSync(fd)
}

function mountSys(fd: number): void {
  try {
    mountOn(fd, 'sysfs', SAFE | MS.RDONLY)
  } catch (error) {
    if (!hasCode(error, 'EPERM')) throw error
    // A user namespace that shares the host's network may not mount sysfs, only show the one that is there.
    bindOn('/sys', fd, { recursive: true, readonly: true, nosuid: true, nodev: true, noexec: true })
    return
  }
}

/** Control groups of version 2 below /sys; read-only, and seen from our own group on. */
function mountControlGroups(root: number): void {
  if (Number(fs.statfsSync('/sys/fs/cgroup').type) !== CGROUP2_MAGIC) return
  const { fd } = resolveInRoot(root, '/sys/fs/cgroup')
  try {
    mountOn(fd, 'cgroup2', SAFE | MS.RDONLY)
  } catch (error) {
    if (!hasCode(error, 'EPERM', 'EBUSY')) throw error
  } finally {
    fs.closeSync(fd)
  }
}

/** Hides what the kernel tells about the machine and write-protects its knobs. */
function protect(root: number): void {
  const nothing = openNull()
  for (const mountPoint of ['proc', 'sys'] as const) {
    // These two are the kernel's own trees, just mounted: nobody has put a link there.
    const tree = openAt(root, mountPoint, O_PATH | O_DIRECTORY)
    for (const path of maskedDirectories[mountPoint])
      ifThere(tree, path, (fd) => mountOn(fd, 'tmpfs', SAFE | MS.RDONLY, 'size=0k,nr_inodes=1'))
    for (const path of maskedFiles[mountPoint]) ifThere(tree, path, (fd) => bindOn(nothing, fd, { readonly: true }))
    for (const path of readonlyPaths[mountPoint])
      ifThere(tree, path, (fd) =>
        bindOn(fd, fd, { recursive: true, readonly: true, nosuid: true, nodev: true, noexec: true }),
      )
    fs.closeSync(tree)
  }
  fs.closeSync(nothing)
}

/** What masks files must be the real null device: an image or host with another file there would unmask them. */
function openNull(): number {
  const fd = openAt(AT_FDCWD, '/dev/null', O_PATH)
  const stat = fs.fstatSync(fd)
  if (!stat.isCharacterDevice() || stat.rdev !== 0x103)
    throw new Error('/dev/null of this machine is not the null device')
  return fd
}

function ifThere(tree: number, path: string, use: (fd: number) => void): void {
  const fd = openIfThere(tree, path, O_PATH | O_NOFOLLOW)
  if (fd === undefined) return
  use(fd)
  fs.closeSync(fd)
}
