/**
 * Locks that the kernel keeps (flock): they end with the process that holds them, however it ends, and count for all
 * processes on one kernel, whichever pid namespace they live in. Leaf module.
 */
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'

interface Bindings {
  errno(): number
  flock(fd: number, operation: number): number
}

const OPERATION = { shared: 1, exclusive: 2, noWait: 4 } as const

// The bindings never change once made: this is an import that happens late, not state.
let bindings: Bindings | undefined

/** The compiled part of koffi alone: with all of its JavaScript, every command would take 10 ms longer. */
function native(): Pick<typeof import('koffi'), 'load' | 'errno'> {
  const own = createRequire(import.meta.url)
  try {
    const beside = createRequire(own.resolve('koffi'))
    const { platform, arch } = process
    const directory = dirname(beside.resolve(`@koromix/koffi-${platform}-${arch}`))
    return beside(join(directory, `${platform}_${arch}`, 'koffi.node'))
  } catch {
    // Another C library, or another place: it knows.
    return own('koffi')
  }
}

function load(): Bindings {
  const koffi = native()
  return { errno: () => koffi.errno(), flock: koffi.load(null).func('int flock(int fd, int operation)') }
}

/**
 * Locks an open file without waiting, until its descriptor is closed.
 *
 * @returns `held` when somebody else has a lock that forbids it, `unsupported` where the file system has no locks,
 *   `unknown` where the operating system is not one that can be asked
 */
export function tryLock(fd: number, kind: 'shared' | 'exclusive'): 'locked' | 'held' | 'unsupported' | 'unknown' {
  try {
    bindings ??= load()
  } catch {
    return 'unknown'
  }
  for (;;) {
    if (bindings.flock(fd, OPERATION[kind] | OPERATION.noWait) === 0) return 'locked'
    const errno = bindings.errno()
    if (errno !== constants.errno.EINTR) return errno === constants.errno.EWOULDBLOCK ? 'held' : 'unsupported'
  }
}
