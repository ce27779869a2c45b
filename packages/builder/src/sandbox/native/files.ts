/** Descriptor-based file calls: what a path inside an untrusted root is resolved and changed with. */
import fs from 'node:fs'
import { decodeName, encodePath } from '../../util/raw-path.ts'
import { type CName, check, koffi, raw, SystemError } from './libc.ts'

export const O_PATH = 0o10000000
export const O_CLOEXEC = 0o2000000
export const O_NOFOLLOW = process.arch === 'arm64' ? 0o100000 : 0o400000
export const O_DIRECTORY = process.arch === 'arm64' ? 0o40000 : 0o200000
export const AT_FDCWD = -100
export const AT_EMPTY_PATH = 0x1000
export const AT_SYMLINK_NOFOLLOW = 0x100
const AT_REMOVEDIR = 0x200
const ENOENT = 2
const EINVAL = 22

/** A name as C has it. What is behind a NUL would be cut off, and the rest be another name. */
function cName(name: string): CName {
  if (name.includes('\0')) throw new SystemError('open', EINVAL, name)
  return name.isWellFormed() ? name : Buffer.concat([encodePath(name), Buffer.of(0)])
}

/** openat(2); the descriptor is close-on-exec. */
export function openAt(dir: number, name: string, flags: number, mode = 0): number {
  return check(raw.openat(dir, cName(name), flags | O_CLOEXEC, mode), 'openat', name)
}

/** {@link openAt}; undefined when there is nothing of that name. */
export function openIfThere(dir: number, name: string, flags: number): number | undefined {
  const fd = raw.openat(dir, cName(name), flags | O_CLOEXEC, 0)
  if (fd >= 0) return fd
  if (koffi.errno() === ENOENT) return undefined
  return check(fd, 'openat', name)
}

export function mkdirAt(dir: number, name: string, mode: number): void {
  check(raw.mkdirat(dir, cName(name), mode), 'mkdirat', name)
}

/** Opens a new regular file for writing, which must not exist yet; the caller closes it. */
export function openNewFileAt(dir: number, name: string, mode: number): number {
  const { O_CREAT, O_EXCL, O_WRONLY } = fs.constants
  return openAt(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode)
}

/** Makes an empty regular file that must not exist yet. */
export function createFileAt(dir: number, name: string, mode: number): void {
  fs.closeSync(openNewFileAt(dir, name, mode))
}

export function unlinkAt(dir: number, name: string): void {
  check(raw.unlinkat(dir, cName(name), 0), 'unlinkat', name)
}

export function rmdirAt(dir: number, name: string): void {
  check(raw.unlinkat(dir, cName(name), AT_REMOVEDIR), 'rmdir', name)
}

/** Changes the owner of what the descriptor, O_PATH or not, is open on; a link is not followed. */
export function chownOf(fd: number, uid: number, gid: number): void {
  check(raw.fchownat(fd, '', uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW), 'fchownat')
}

/** mknod(2) for a character device; the mode is subject to the umask. */
export function makeCharacterDevice(dir: number, name: string, major: number, minor: number): void {
  const S_IFCHR = 0o020000
  const device = BigInt((minor & 0xff) | ((major & 0xfff) << 8))
  check(raw.mknodat(dir, name, S_IFCHR | 0o666, device), 'mknod', name)
}

/** Where the symbolic link that `fd` was opened on (O_PATH, O_NOFOLLOW) points to. */
export function readLinkOf(fd: number): string {
  const buffer = Buffer.alloc(4096)
  const length = check(raw.readlinkat(fd, '', buffer, buffer.length), 'readlinkat')
  return decodeName(buffer.subarray(0, length))
}

/** Sets access and modification time (nanoseconds) of what the descriptor, O_PATH or not, is open on. */
export function setTimesOf(fd: number, atimeNs: bigint, mtimeNs: bigint): void {
  const times = Buffer.alloc(64)
  times.writeBigInt64LE(atimeNs / 1_000_000_000n, 0)
  times.writeBigInt64LE(atimeNs % 1_000_000_000n, 8)
  times.writeBigInt64LE(mtimeNs / 1_000_000_000n, 16)
  times.writeBigInt64LE(mtimeNs % 1_000_000_000n, 24)
  // An empty path needs Linux 5.8; the name behind /proc works everywhere.
  check(raw.utimensat(AT_FDCWD, `/proc/self/fd/${fd}`, times, 0), 'utimensat')
}
