/** Mounts by descriptor: where they go is decided by an open directory, not by a path that may change. */
import fs from 'node:fs'
import { hasCode } from '../../util/has-code.ts'
import { AT_EMPTY_PATH, AT_FDCWD, O_CLOEXEC, O_NOFOLLOW, O_PATH, openAt } from './files.ts'
import { check, raw, SystemError } from './libc.ts'
import { numbers } from './numbers.ts'

export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  REMOUNT: 32,
  BIND: 4096,
  REC: 16384,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  MOVE: 8192,
  SHARED: 1 << 20,
  STRICTATIME: 1 << 24,
} as const
const MNT_DETACH = 2
const MOUNT_ATTR_NOSYMFOLLOW = 0x200000
const EAGAIN = 11
const OPEN_TREE_CLONE = 1
const AT_RECURSIVE = 0x8000
const MOVE_MOUNT_F_EMPTY_PATH = 4
const MOVE_MOUNT_T_EMPTY_PATH = 0x40

/** mount(2). */
export function mount(
  source: string | null,
  target: string,
  type: string | null,
  flags: number,
  data: string | null = null,
): void {
  check(raw.mount(source, target, type, flags, data), 'mount', type ?? target)
}

/** Mounts a file system on the directory that `fd` is open on. */
export function mountOn(fd: number, type: string, flags: number, data: string | null = null): void {
  mount(type, `/proc/self/fd/${fd}`, type, flags, data)
}

/** Moves the mount at `source`, with all that is mounted below it, to the directory that `fd` is open on. */
export function moveOn(source: string, fd: number): void {
  mount(source, `/proc/self/fd/${fd}`, null, MS.MOVE)
}

/** Takes a mount out of sight; it goes away when nothing uses it any more. */
export function detach(target: string): void {
  check(raw.umount2(target, MNT_DETACH), 'umount2', target)
}

/** umount2(2) with all its strictness: fails when busy. */
export function unmount(target: string): void {
  check(raw.umount2(target, 0), 'umount2', target)
}

export interface BindOptions {
  readonly readonly?: boolean
  readonly nodev?: boolean
  readonly nosuid?: boolean
  readonly noexec?: boolean
  /** No path through it follows a link, whatever the source's own mount does: others are followed. Needs Linux 5.12. */
  readonly nosymfollow?: boolean
  /** Mounts below the source come along, with the same attributes. */
  readonly recursive?: boolean
}

/**
 * Shows what `source` is open on, or names, at the place that `target` is open on. A name is for places of our own: it is
 * walked, as often as it has to be.
 */
export function bindOn(source: number | string, target: number, options: BindOptions = {}): void {
  if (numbers === undefined) throw new SystemError('mount', 38)
  const [dir, path] = typeof source === 'string' ? [AT_FDCWD, source] : [source, '']
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | (path === '' ? AT_EMPTY_PATH : 0) | (options.recursive ? AT_RECURSIVE : 0)
  let tree: number
  try {
    tree = check(raw.syscallAtPath(numbers.openTree, dir, path, flags, null, 0), 'open_tree', path)
  } catch (error) {
    // Before Linux 5.2, and where a seccomp filter does not know the call.
    if (!hasCode(error, 'ENOSYS', 'EPERM')) throw error
    bindByPath(typeof source === 'string' ? source : `/proc/self/fd/${source}`, target, options)
    return
  }
  try {
    const complete = restrictsDetached(tree, options)
    check(
      raw.syscallMove(numbers.moveMount, tree, '', target, '', MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
      'move_mount',
      path,
    )
    if (!complete) remount(tree, options)
  } catch (error) {
    if (!hasCode(error, 'ENOSYS')) throw error
    bindByPath(typeof source === 'string' ? source : `/proc/self/fd/${source}`, target, options)
  } finally {
    fs.closeSync(tree)
  }
}

/**
 * Shows `path` by a mount of its own that stands nowhere; it lasts as long as its descriptor, or what was executed from
 * it. Throws ENOSYS before Linux 5.12.
 */
export function cloneMount(path: string, options: BindOptions): number {
  if (numbers === undefined) throw new SystemError('open_tree', 38)
  const flags = OPEN_TREE_CLONE | O_CLOEXEC
  const tree = check(raw.syscallAtPath(numbers.openTree, AT_FDCWD, path, flags, null, 0), 'open_tree', path)
  try {
    restrictMount(tree, options)
    return tree
  } catch (error) {
    fs.closeSync(tree)
    throw error
  }
}

/**
 * Adds attributes to the mount that `fd` is open on the root of; nothing is taken away but `nosymfollow`. Throws ENOSYS
 * before Linux 5.12, where only a mount that has got its place can be given attributes.
 */
export function restrictMount(fd: number, options: BindOptions): void {
  if (numbers === undefined) throw new SystemError('mount_setattr', 38)
  // struct mount_attr: what is set, what is cleared.
  const argument = Buffer.alloc(32)
  argument.writeBigUInt64LE(BigInt(flagsOf(options) | (options.nosymfollow ? MOUNT_ATTR_NOSYMFOLLOW : 0)), 0)
  argument.writeBigUInt64LE(BigInt(options.nosymfollow ? 0 : MOUNT_ATTR_NOSYMFOLLOW), 8)
  const flags = AT_EMPTY_PATH | (options.recursive ? AT_RECURSIVE : 0)
  check(raw.syscallAtPath(numbers.mountSetattr, fd, '', flags, argument, argument.length), 'mount_setattr')
}

/** Does {@link restrictMount} to a mount without a place, or tells that the kernel cannot. */
function restrictsDetached(fd: number, options: BindOptions): boolean {
  try {
    restrictMount(fd, options)
    return true
  } catch (error) {
    if (!hasCode(error, 'ENOSYS')) throw error
    return false
  }
}

/** MS_ and MOUNT_ATTR_ agree for these four. */
function flagsOf(options: BindOptions): number {
  return (
    (options.readonly ? MS.RDONLY : 0) |
    (options.nosuid ? MS.NOSUID : 0) |
    (options.nodev ? MS.NODEV : 0) |
    (options.noexec ? MS.NOEXEC : 0)
  )
}

/**
 * The way of older kernels. Attributes reach only the topmost mount there, so mounts below are left out unless the
 * kernel insists on them (a user namespace may not uncover what a mount hides).
 */
function bindByPath(source: string, target: number, options: BindOptions): void {
  const place = `/proc/self/fd/${target}`
  try {
    mount(source, place, null, MS.BIND)
  } catch (error) {
    if (!hasCode(error, 'EINVAL') || !options.recursive) throw error
    mount(source, place, null, MS.BIND | MS.REC)
  }
  if (flagsOf(options) === 0) return
  // The descriptor still shows what the mount hides: the mount itself is found by the path behind it. Should something
  // else stand there by now, it is not what was mounted.
  const top = openAt(AT_FDCWD, fs.readlinkSync(place), O_PATH | O_NOFOLLOW)
  try {
    const [wanted, found] = [fs.statSync(source, { bigint: true }), fs.fstatSync(top, { bigint: true })]
    if (wanted.dev !== found.dev || wanted.ino !== found.ino) throw new SystemError('mount', EAGAIN)
    remount(top, options)
  } finally {
    fs.closeSync(top)
  }
}

/** Makes the mount that `fd` is open on the root of one that cannot be written. */
export function remountReadonly(fd: number): void {
  remount(fd, { readonly: true })
}

/** Adds attributes to the mount that `fd` is open on the root of, the others stay as they are. */
function remount(fd: number, options: BindOptions): void {
  const flags = flagsOf(options) | inheritedFlags(fd)
  mount(null, `/proc/self/fd/${fd}`, null, MS.REMOUNT | MS.BIND | flags)
}

/** Flags of the mount of `fd` that a remount has to repeat; the kernel refuses to drop them in a user namespace. */
function inheritedFlags(fd: number): number {
  const id = /^mnt_id:\s*(\d+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1]
  const line = fs
    .readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .findLast((entry) => entry.split(' ')[0] === id)
  const words = new Set(line?.split(' ')[5]?.split(','))
  const known = {
    ro: MS.RDONLY,
    nosuid: MS.NOSUID,
    nodev: MS.NODEV,
    noexec: MS.NOEXEC,
    noatime: 1024,
    nodiratime: 2048,
    relatime: 1 << 21,
  }
  return Object.entries(known).reduce((sum, [word, flag]) => sum | (words.has(word) ? flag : 0), 0)
}

/** Makes the directory `fd` is open on the root of the mount namespace; the old root is gone afterwards. */
export function pivotTo(fd: number): void {
  if (numbers === undefined) throw new SystemError('pivot_root', 38)
  check(raw.fchdir(fd), 'fchdir')
  // The old root is put on top of the new one, which needs no directory for it, and taken away from there.
  check(raw.syscallPath2(numbers.pivotRoot, '.', '.'), 'pivot_root')
  detach('.')
  process.chdir('/')
}
