/**
 * System calls that Node does not offer, bound through koffi. Loaded only in the worker and its children.
 *
 * Everything here is synchronous and reports failure by throwing {@link SystemError}. Calls that change credentials go
 * through raw system calls: the C library's wrappers signal every thread it believes to exist, which hangs in a process
 * that was cloned out of a threaded one.
 */
import { getSystemErrorMap } from 'node:util'
import koffi from 'koffi'

/** Made once, since making it is slow. */
const errorNames = getSystemErrorMap()
const library = koffi.load(null)

/** A failed system call: `code` as in Node (`EPERM`), `syscall` and the path or object it was about. */
export class SystemError extends Error {
  readonly code: string
  readonly errno: number
  readonly syscall: string
  readonly path: string | undefined

  constructor(syscall: string, errno: number, path?: string) {
    const [code, text] = errorNames.get(-errno) ?? [`E${errno}`, `error ${errno}`]
    super(`${syscall}${path === undefined ? '' : ` ${path}`}: ${text} (${code})`)
    this.code = code
    this.errno = errno
    this.syscall = syscall
    this.path = path
  }
}

function check(result: number | bigint, syscall: string, path?: string): number {
  const value = Number(result)
  if (value < 0) throw new SystemError(syscall, koffi.errno(), path)
  return value
}

type Int = number | bigint
/** A Buffer is taken as it is: the terminating NUL has to be in it. */
export type CName = string | Buffer
const bind = <A extends readonly unknown[]>(prototype: string): ((...args: A) => number) =>
  library.func(prototype) as unknown as (...args: A) => number

const c = {
  syscall: bind<[Int, Int, Int, Int, Int, Int, Int]>(
    'long syscall(long n, long a, long b, long c, long d, long e, long f)',
  ),
  syscallPath2: bind<[Int, string, string]>('long syscall(long n, const char *a, const char *b)'),
  syscallBuffer2: bind<[Int, Uint8Array, Uint8Array | null]>('long syscall(long n, uint8_t *a, uint8_t *b)'),
  syscallIntBuffer: bind<[Int, Int, Uint8Array | null]>('long syscall(long n, long a, uint8_t *b)'),
  syscallAtPath: bind<[Int, Int, string, Int, Uint8Array | null, Int]>(
    'long syscall(long n, long a, const char *b, long c, uint8_t *d, long e)',
  ),
  syscallMove: bind<[Int, Int, string, Int, string, Int]>(
    'long syscall(long n, long a, const char *b, long c, const char *d, long e)',
  ),
  mount: bind<[string | null, string, string | null, Int, string | null]>(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
  ),
  umount2: bind<[string, number]>('int umount2(const char *target, int flags)'),
  prctl: bind<[number, Int, Int, Int, Int]>(
    'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
  ),
  prctlBuffer: bind<[number, Int, Uint8Array]>('int prctl(int option, unsigned long a, uint8_t *b)'),
  sethostname: bind<[string, number]>('int sethostname(const char *name, size_t length)'),
  unshare: bind<[number]>('int unshare(int flags)'),
  setsid: bind<[]>('int setsid()'),
  chroot: bind<[string]>('int chroot(const char *path)'),
  fchdir: bind<[number]>('int fchdir(int fd)'),
  openat: bind<[number, CName, number, number]>('int openat(int fd, const char *path, int flags, int mode)'),
  mkdirat: bind<[number, CName, number]>('int mkdirat(int fd, const char *path, int mode)'),
  mknodat: bind<[number, string, number, bigint]>(
    'int mknodat(int fd, const char *path, unsigned int mode, uint64_t device)',
  ),
  unlinkat: bind<[number, CName, number]>('int unlinkat(int fd, const char *path, int flags)'),
  fchownat: bind<[number, CName, number, number, number]>(
    'int fchownat(int fd, const char *path, unsigned int uid, unsigned int gid, int flags)',
  ),
  readlinkat: bind<[number, string, Uint8Array, number]>(
    'intptr_t readlinkat(int fd, const char *path, uint8_t *buffer, size_t size)',
  ),
  utimensat: bind<[number, string, Uint8Array, number]>(
    'int utimensat(int fd, const char *path, uint8_t *times, int flags)',
  ),
  execve: bind<[string, readonly (string | null)[], readonly (string | null)[]]>(
    'int execve(const char *path, const char **argv, const char **envp)',
  ),
  exit: bind<[number]>('void _exit(int code)'),
  dup2: bind<[number, number]>('int dup2(int from, int to)'),
  fcntl: bind<[number, number, number]>('int fcntl(int fd, int command, int argument)'),
  ioctl: bind<[number, Int, Uint8Array]>('int ioctl(int fd, unsigned long request, uint8_t *argument)'),
  ioctlNumber: bind<[number, Int, Int]>('int ioctl(int fd, unsigned long request, unsigned long argument)'),
  kill: bind<[number, number]>('int kill(int pid, int signal)'),
  signal: bind<[number, Int]>('intptr_t signal(int number, intptr_t handler)'),
  sigprocmask: bind<[number, Uint8Array, null]>('int sigprocmask(int how, uint8_t *set, void *old)'),
  setrlimit: bind<[number, Uint8Array]>('int setrlimit(int resource, uint8_t *limit)'),
  getrlimit: bind<[number, Uint8Array]>('int getrlimit(int resource, uint8_t *limit)'),
  pipe2: bind<[Uint8Array, number]>('int pipe2(uint8_t *fds, int flags)'),
  socketpair: bind<[number, number, number, Uint8Array]>(
    'int socketpair(int domain, int type, int protocol, uint8_t *fds)',
  ),
  socket: bind<[number, number, number]>('int socket(int domain, int type, int protocol)'),
  sendmsg: bind<[number, Uint8Array, number]>('intptr_t sendmsg(int fd, uint8_t *message, int flags)'),
  recvmsg: bind<[number, Uint8Array, number]>('intptr_t recvmsg(int fd, uint8_t *message, int flags)'),
  poll: bind<[Uint8Array, number, number]>('int poll(uint8_t *fds, unsigned long count, int timeout)'),
  wait4: bind<[number, Uint8Array, number, Uint8Array | null]>(
    'int wait4(int pid, uint8_t *status, int options, uint8_t *usage)',
  ),
  memfdCreate: bind<[string, number]>('int memfd_create(const char *name, unsigned int flags)'),
  madvise: bind<[bigint, bigint, number]>('int madvise(uintptr_t address, size_t length, int advice)'),
  getpid: bind<[]>('int getpid()'),
}

/** The raw bindings for the few callers that handle results themselves. */
export { c as raw, check, koffi }

/** Address of a buffer's first byte; the buffer must be kept alive by the caller while the address is in use. */
export function addressOf(buffer: Uint8Array): bigint {
  return koffi.address(buffer)
}
