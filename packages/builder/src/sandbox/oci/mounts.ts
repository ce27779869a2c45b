/**
 * Prepares what an OCI runtime mounts. A runtime finds mount points by their paths, while others may change what is mounted
 * above them. So the root filesystem that it gets is a mount of our own with everything mounted in it already, found by
 * descriptors; it mounts what is below /dev, /proc and /sys, which are not there before.
 */
import fs from 'node:fs'
import { join } from 'node:path'
import type { ProcessSpec, SandboxMount } from '../executor.ts'
import { aboutMount, isExecutable, kindOf, mountAt } from '../mounts/apply.ts'
import { allMounts, checkTarget } from '../mounts/order.ts'
import { MountPoints, type Stub } from '../mounts/points.ts'
import { AT_FDCWD, chownOf, O_DIRECTORY, O_PATH, openAt } from '../native/files.ts'
import { bindOn, detach, MS, mount } from '../native/mount.ts'
import { resolveInRoot } from '../native/resolve.ts'
import type { OciMount } from './config.ts'

export interface PreparedMounts extends AsyncDisposable {
  /** The root filesystem, with mounts in it. */
  readonly rootfs: string
  /** What is left for the runtime to mount. */
  readonly mounts: readonly OciMount[]
}

/** Places of the runtime's own mounts. */
const BELOW_STANDARD = /^\/(dev|proc|sys)\//

/**
 * @param directory made for a tmpfs, in the worker's mount namespace; everything is unmounted when disposed
 * @param onStub told of mount points made in the root filesystem
 */
export async function prepareMounts(
  spec: ProcessSpec,
  rootfs: string,
  directory: string,
  onStub: (stub: Stub) => void,
): Promise<PreparedMounts> {
  const files = new Files(directory)
  const opened: number[] = []
  const open = (path: string): number => {
    const fd = openAt(AT_FDCWD, path, O_PATH | O_DIRECTORY)
    opened.push(fd)
    return fd
  }
  try {
    const shown = files.show(open(rootfs))
    const [root, scratch] = [open(shown), open(directory)]
    const points = new MountPoints(root, onStub)
    const sandboxed = spec.security === 'sandbox'
    const mounts: OciMount[] = []
    /** Left for the runtime, and others may change what is in it. */
    const shared: string[] = []
    for (const wanted of allMounts(spec)) {
      aboutMount(wanted, () => {
        checkTarget(wanted.target)
        points.at(wanted.target, kindOf(wanted), (fd, path) => {
          if (!BELOW_STANDARD.test(path)) return mountAt(fd, wanted, { sandboxed, scratch })
          if (shared.some((destination) => path.startsWith(`${destination}/`)))
            throw new Error('an OCI runtime cannot safely mount below a bind or cache mount in /dev, /proc or /sys')
          if (wanted.type === 'bind') shared.push(path)
          mounts.push(ociMount(wanted, path, files, sandboxed))
        })
      })
    }
    if (!BELOW_STANDARD.test(spec.cwd)) makeWorkingDirectory(root, spec)
    return { rootfs: shown, mounts, [Symbol.asyncDispose]: async () => files.close() }
  } catch (error) {
    files.close()
    throw error
  } finally {
    for (const fd of opened) fs.closeSync(fd)
  }
}

function ociMount(wanted: SandboxMount, destination: string, files: Files, sandboxed: boolean): OciMount {
  if (wanted.type === 'tmpfs') {
    // Runtimes give their own tmpfs mounts the mode of the directory below.
    return { destination, type: 'bind', source: files.fileSystem(wanted), options: ['bind', 'nosuid', 'nodev'] }
  }
  if (wanted.type === 'file') {
    const options = ['bind', 'ro', 'nosuid', 'nodev', ...(isExecutable(wanted) ? [] : ['noexec'])]
    return { destination, type: 'bind', source: files.write(wanted), options }
  }
  const options = ['rbind', wanted.readonly ? 'ro' : 'rw', ...(sandboxed ? ['nodev'] : [])]
  return { destination, type: 'bind', source: wanted.source, options }
}

/** Made for its user; runtimes would make it root's. */
function makeWorkingDirectory(root: number, spec: ProcessSpec): void {
  const { uid, gid } = spec.user
  const { fd } = resolveInRoot(root, spec.cwd, {
    create: 'directory',
    onCreate: (_path, _parent, _kind, made) => chownOf(made, uid, gid),
  })
  fs.closeSync(fd)
}

/** Files and directories on file systems in memory that only the worker sees. */
class Files {
  readonly #directory: string
  #count = 0
  #mounted: string[] = []

  constructor(directory: string) {
    this.#directory = directory
  }

  write(file: Extract<SandboxMount, { type: 'file' }>): string {
    const path = this.#next()
    fs.writeFileSync(path, file.content, { mode: 0o600 })
    fs.chownSync(path, file.uid, file.gid)
    fs.chmodSync(path, file.mode)
    return path
  }

  /** The place where the directory that `fd` is open on is shown, with what will be mounted in it. */
  show(fd: number): string {
    const path = this.#next()
    fs.mkdirSync(path)
    const place = openAt(AT_FDCWD, path, O_PATH | O_DIRECTORY)
    try {
      bindOn(fd, place, { recursive: true })
      this.#mounted.push(path)
    } finally {
      fs.closeSync(place)
    }
    return path
  }

  fileSystem({ size, mode = 0o1777 }: Extract<SandboxMount, { type: 'tmpfs' }>): string {
    const path = this.#next()
    fs.mkdirSync(path)
    this.#mount(path, `mode=${mode.toString(8)}${size ? `,size=${size}` : ''}`)
    return path
  }

  close(): void {
    for (const path of this.#mounted.toReversed()) detach(path)
    this.#mounted = []
  }

  #next(): string {
    if (this.#mounted.length === 0) {
      fs.mkdirSync(this.#directory, { mode: 0o700 })
      this.#mount(this.#directory, 'mode=700')
    }
    return join(this.#directory, String(this.#count++))
  }

  #mount(path: string, options: string): void {
    mount('tmpfs', path, 'tmpfs', MS.NOSUID | MS.NODEV, options)
    this.#mounted.push(path)
  }
}
