/**
 * System calls that Node does not offer: extended attributes, device nodes, mounts, syncfs. Linux only; koffi is loaded
 * with the first call. Every call throws an error with `code` (EPERM …) as Node's own fs functions do. Leaf module.
 */
import { closeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'

type Path = string | Buffer
/** koffi takes Buffers as they are: the terminating NUL has to be in them. */
type CPath = string | Buffer

interface Bindings {
  errno(): number
  lgetxattr(path: CPath, name: string, value: Buffer, size: number): number
  lsetxattr(path: CPath, name: string, value: Buffer, size: number, flags: number): number
  lremovexattr(path: CPath, name: string): number
  llistxattr(path: CPath, list: Buffer, size: number): number
  mknod(path: CPath, mode: number, device: bigint): number
  utimensat(fd: number, path: CPath, times: BigInt64Array, flags: number): number
  futimens(fd: number, times: BigInt64Array): number
  umount2(target: CPath, flags: number): number
  mount(source: CPath, target: CPath, type: string, flags: bigint, data: string): number
  /** syncfs on a thread of its own. */
  syncfsAsync(fd: number, done: (error: Error | null, result: number) => void): void
  fsopen(nr: number, type: string, flags: number): number
  fsconfig(nr: number, fd: number, command: number, key: string | null, value: CPath | null, aux: number): number
  fsmount(nr: number, fd: number, flags: number, attributes: number): number
  moveMount(nr: number, fromFd: number, from: string, toFd: number, to: CPath, flags: number): number
}

/** The system calls above 423 have the same number on every architecture. */
const NR = { moveMount: 429, fsopen: 430, fsconfig: 431, fsmount: 432 } as const

function load(): Bindings {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  const libc = koffi.load(null)
  const syncfs = libc.func('int syncfs(int fd)')
  return {
    errno: () => koffi.errno(),
    lgetxattr: libc.func('intptr_t lgetxattr(const char *path, const char *name, void *value, size_t size)'),
    lsetxattr: libc.func(
      'int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
    ),
    lremovexattr: libc.func('int lremovexattr(const char *path, const char *name)'),
    llistxattr: libc.func('intptr_t llistxattr(const char *path, void *list, size_t size)'),
    mknod: libc.func('int mknod(const char *path, uint32_t mode, uint64_t dev)'),
    utimensat: libc.func('int utimensat(int fd, const char *path, const void *times, int flags)'),
    futimens: libc.func('int futimens(int fd, const void *times)'),
    umount2: libc.func('int umount2(const char *target, int flags)'),
    mount: libc.func(
      'int mount(const char *source, const char *target, const char *type, uint64_t flags, const char *data)',
    ),
    syncfsAsync: (fd, done) => syncfs.async(fd, done),
    fsopen: libc.func('syscall', 'long', ['long', 'const char *', 'uint']),
    fsconfig: libc.func('syscall', 'long', ['long', 'int', 'uint', 'const char *', 'const char *', 'int']),
    fsmount: libc.func('syscall', 'long', ['long', 'int', 'uint', 'uint']),
    moveMount: libc.func('syscall', 'long', ['long', 'int', 'const char *', 'int', 'const char *', 'uint']),
  }
}

// The bindings never change once made: this is an import that happens late, not state.
let loaded: Bindings | undefined
function libc(): Bindings {
  loaded ??= load()
  return loaded
}

function cPath(path: Path): CPath {
  return typeof path === 'string' ? path : Buffer.concat([path, Buffer.of(0)])
}

const ERRNO_NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number as number, name]))

function fail(syscall: string, path?: Path): never {
  const errno = libc().errno()
  const code = ERRNO_NAMES.get(errno) ?? `E${errno}`
  const where = path === undefined ? '' : ` '${path}'`
  const error = new Error(`${code}: ${syscall} failed${where}`)
  throw Object.assign(error, { code, errno, syscall, ...(path !== undefined && { path: String(path) }) })
}

const NO_XATTRS: readonly string[] = []
let scratch: Buffer | undefined

/** A buffer that is used and left within one synchronous call; xattr values and lists have at most 64 KiB. */
function scratchBuffer(): Buffer {
  scratch ??= Buffer.allocUnsafeSlow(65536)
  return scratch
}

/** Names of a file's extended attributes, sorted; a link is not followed. Empty where the file system has none. */
export function listXattrs(path: Path): readonly string[] {
  const buffer = scratchBuffer()
  const length = libc().llistxattr(cPath(path), buffer, buffer.length)
  if (length === 0) return NO_XATTRS
  if (length > 0)
    return buffer
      .toString('utf8', 0, length - 1)
      .split('\0')
      .sort()
  if (libc().errno() === constants.errno.ENOTSUP) return NO_XATTRS
  return fail('llistxattr', path)
}

/** The value of an extended attribute, undefined where there is none. */
export function getXattr(path: Path, name: string): Buffer | undefined {
  const buffer = scratchBuffer()
  const length = libc().lgetxattr(cPath(path), name, buffer, buffer.length)
  if (length >= 0) return Buffer.from(buffer.subarray(0, length))
  const errno = libc().errno()
  if (errno === constants.errno.ENODATA || errno === constants.errno.ENOTSUP) return undefined
  return fail('lgetxattr', path)
}

const AT_FDCWD = -100
const AT_SYMLINK_NOFOLLOW = 0x100
const NS_PER_S = 1_000_000_000n
/** struct timespec[2]: access and modification time. Used and left within one synchronous call. */
const timespecs = new BigInt64Array(4)

function timespec(ns: bigint): BigInt64Array {
  // The nanoseconds of a timespec count upwards from its seconds, also before 1970.
  let nanos = ns % NS_PER_S
  if (nanos < 0n) nanos += NS_PER_S
  timespecs[0] = timespecs[2] = (ns - nanos) / NS_PER_S
  timespecs[1] = timespecs[3] = nanos
  return timespecs
}

/** Sets access and modification time to nanoseconds since the epoch, exactly; a link is not followed. */
export function setTimes(path: Path, ns: bigint): void {
  if (libc().utimensat(AT_FDCWD, cPath(path), timespec(ns), AT_SYMLINK_NOFOLLOW) !== 0) fail('utimensat', path)
}

/** {@link setTimes} of an open file. */
export function setTimesOf(fd: number, ns: bigint): void {
  if (libc().futimens(fd, timespec(ns)) !== 0) fail('futimens')
}

/** Sets an extended attribute; a link is not followed. */
export function setXattr(path: Path, name: string, value: Buffer): void {
  if (libc().lsetxattr(cPath(path), name, value, value.length, 0) !== 0) fail(`lsetxattr ${name}`, path)
}

/** Removes an extended attribute if it is there. */
export function removeXattr(path: Path, name: string): void {
  if (libc().lremovexattr(cPath(path), name) !== 0 && libc().errno() !== constants.errno.ENODATA)
    fail(`lremovexattr ${name}`, path)
}

/** File type bits of `mode` for {@link makeNode}. */
export const NODE_TYPE = { fifo: 0o010000, char: 0o020000, block: 0o060000 } as const

/** Makes a device node or fifo; `mode` includes the type and is subject to the umask. */
export function makeNode(path: Path, mode: number, device: { major: number; minor: number }): void {
  if (libc().mknod(cPath(path), mode, encodeDevice(device.major, device.minor)) !== 0) fail('mknod', path)
}

/** A device as stat and mknod number it: glibc's and musl's dev_t. */
export function encodeDevice(major: number, minor: number): bigint {
  const [ma, mi] = [BigInt(major), BigInt(minor)]
  return (mi & 0xffn) | ((ma & 0xfffn) << 8n) | ((mi & ~0xffn) << 12n) | ((ma & ~0xfffn) << 32n)
}

/** Major and minor number of a stat's `rdev`. */
export function decodeDevice(device: bigint): { major: number; minor: number } {
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)),
    minor: Number((device & 0xffn) | ((device >> 12n) & ~0xffn & 0xffffffffn)),
  }
}

/** One parameter of {@link mountFs}: `[key]` is a flag, `[key, value]` a string. */
export type MountParameter = readonly [key: string, value?: string]

const FSCONFIG = { flag: 0, string: 1, create: 6 } as const
const CLOEXEC = 1
const MOVE_MOUNT_F_EMPTY_PATH = 4

/** Attributes of {@link mountFs}. */
export const MOUNT_ATTR = { readonly: 1, nosuid: 2, nodev: 4, noexec: 8, nosymfollow: 0x200000 } as const

/**
 * Mounts a file system through the new mount API (Linux 5.2), which has no limit on the length of options.
 */
export function mountFs(type: string, target: string, parameters: readonly MountParameter[], attributes: number): void {
  const c = libc()
  const context = c.fsopen(NR.fsopen, type, CLOEXEC)
  if (context < 0) fail(`fsopen ${type}`)
  try {
    for (const [key, value] of parameters) {
      const command = value === undefined ? FSCONFIG.flag : FSCONFIG.string
      if (c.fsconfig(NR.fsconfig, context, command, key, value ?? null, 0) !== 0) fail(`fsconfig ${key}`, value)
    }
    if (c.fsconfig(NR.fsconfig, context, FSCONFIG.create, null, null, 0) !== 0) fail(`fsconfig create ${type}`)
    const mount = c.fsmount(NR.fsmount, context, CLOEXEC, attributes)
    if (mount < 0) fail(`fsmount ${type}`)
    try {
      if (c.moveMount(NR.moveMount, mount, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) !== 0)
        fail('move_mount', target)
    } finally {
      closeSync(mount)
    }
  } finally {
    closeSync(context)
  }
}

/** mount(2) with its options in one page of text. */
export function mountOld(source: string, target: string, type: string, flags: number, data: string): void {
  if (libc().mount(source, target, type, BigInt(flags), data) !== 0) fail(`mount ${type}`, target)
}

/** Takes a mount away at once, even if something still uses it (MNT_DETACH). */
export function unmount(target: string): void {
  const MNT_DETACH = 2
  if (libc().umount2(target, MNT_DETACH) !== 0) fail('umount2', target)
}

/** Writes everything that the file system of `fd` holds in memory to disk, on a thread of its own. */
export function syncFs(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    libc().syncfsAsync(fd, (error, result) => {
      if (error) reject(error)
      else if (result !== 0) reject(new Error('syncfs failed'))
      else resolve()
    })
  })
}
