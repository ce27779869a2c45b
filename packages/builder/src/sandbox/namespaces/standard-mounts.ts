/** /proc, /dev and /sys of a container: what they need to know, and how they are mounted and protected. */
import fs from 'node:fs'
import { hasCode } from '../../util/has-code.ts'
import type { InitSpec } from '../init-protocol.ts'
import {
  defaultShmSize,
  maskedDirectories,
  maskedFiles,
  readonlyPaths,
  type StandardMounts,
} from '../mounts/standard.ts'
import { AT_FDCWD, O_DIRECTORY, O_NOFOLLOW, O_PATH, openAt, openIfThere } from '../native/files.ts'
import { bindOn, MS, mountOn } from '../native/mount.ts'
import { type ResolveOptions, resolveInRoot } from '../native/resolve.ts'
import { mountDev } from './dev.ts'

const SAFE = MS.NOSUID | MS.NODEV | MS.NOEXEC
const CGROUP2_MAGIC = 0x63677270

/** Where they are mounted, in a root directory. */
export const STANDARD_PLACES = ['/proc', '/dev', '/sys'] as const

/** Those of most processes. */
export function usualMounts(singleId: boolean): StandardMounts {
  return { sandboxed: true, singleId, shmSize: defaultShmSize, terminal: false }
}

export function standardMounts({ process: wanted, singleId, terminal }: InitSpec): StandardMounts {
  // A mount that was asked for takes the place of the standard one.
  const taken = wanted.mounts.some((mount) => mount.target === '/dev/shm')
  const shmSize = taken ? undefined : (wanted.shmSize ?? defaultShmSize)
  return { sandboxed: wanted.security === 'sandbox', singleId, shmSize, terminal }
}

/** Mounts them below the directory that `root` is open on. */
export function mountStandard(root: number, mounts: StandardMounts): void {
  for (const place of STANDARD_PLACES) onPoint(root, place, () => undefined)
  onPoint(root, '/proc', (fd) => mountOn(fd, 'proc', SAFE))
  mountDev(root, mounts)
  onPoint(root, '/sys', mountSys)
  mountControlGroups(root)
  if (mounts.sandboxed) protect(root)
}

/** Calls `use` with the directory for a standard mount, made if it is missing; a link there would lead elsewhere. */
export function onPoint(root: number, path: string, use: (fd: number) => void): void {
  const options: ResolveOptions = { create: 'directory', noLinks: true }
  let fd: number
  try {
    fd = resolveInRoot(root, path, options).fd
  } catch (error) {
    if (hasCode(error, 'ELOOP', 'ENOTDIR')) throw new Error(`${path} must be an ordinary directory`)
    throw error
  }
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
