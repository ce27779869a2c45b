/** Prepares what an OCI runtime mounts: files on a tmpfs, and mount points that are removed again afterwards. */
import fs from 'node:fs'
import { join } from 'node:path'
import type { ProcessSpec, SandboxMount } from '../executor.ts'
import { isExecutable } from '../mounts/apply.ts'
import { allMounts, checkTarget } from '../mounts/order.ts'
import { MountPoints, type Stub } from '../mounts/points.ts'
import { AT_FDCWD, chownAt, O_DIRECTORY, O_PATH, openAt } from '../native/files.ts'
import { detach, MS, mount } from '../native/mount.ts'
import { resolveInRoot } from '../native/resolve.ts'
import type { OciMount } from './config.ts'

export interface PreparedMounts extends AsyncDisposable {
  readonly mounts: readonly OciMount[]
}

/**
 * @param directory made for the files' tmpfs, in the worker's mount namespace; unmounted when disposed
 * @param onStub told of mount points made in the root filesystem
 */
export async function prepareMounts(
  spec: ProcessSpec,
  rootfs: string,
  directory: string,
  onStub: (stub: Stub) => void,
): Promise<PreparedMounts> {
  const wanted = allMounts(spec)
  const files = new Files(directory)
  const root = openAt(AT_FDCWD, rootfs, O_PATH | O_DIRECTORY)
  try {
    const points = new MountPoints(root, onStub)
    const mounts = wanted.map((mount) => prepareOne(mount, points, files, spec.security === 'sandbox'))
    const below = wanted.some(({ target }) => `${spec.cwd}/`.startsWith(`${target.replace(/\/+$/, '')}/`))
    if (!below) makeWorkingDirectory(root, spec)
    return { mounts, [Symbol.asyncDispose]: async () => files.close() }
  } catch (error) {
    files.close()
    throw error
  } finally {
    fs.closeSync(root)
  }
}

function prepareOne(mount: SandboxMount, points: MountPoints, files: Files, sandboxed: boolean): OciMount {
  try {
    checkTarget(mount.target)
    const nodev = sandboxed ? ['nodev'] : []
    const kind = mount.type === 'tmpfs' ? 'directory' : mount.type === 'file' ? 'file' : typeOf(mount.source)
    // A target below another mount's is the runtime's to make: it is not in the root filesystem.
    let destination = mount.target
    points.at(mount.target, kind, (_, path) => {
      destination = path
    })
    if (mount.type === 'tmpfs') {
      // Runtimes give their own tmpfs mounts the mode of the directory below.
      return { destination, type: 'bind', source: files.fileSystem(mount), options: ['bind', 'nosuid', 'nodev'] }
    }
    if (mount.type === 'file') {
      const options = ['bind', 'ro', 'nosuid', 'nodev', ...(isExecutable(mount) ? [] : ['noexec'])]
      return { destination, type: 'bind', source: files.write(mount), options }
    }
    return {
      destination,
      type: 'bind',
      source: mount.source,
      options: ['rbind', ...(mount.readonly ? ['ro'] : ['rw']), ...nodev],
    }
  } catch (error) {
    throw new Error(`mount ${mount.type} on ${mount.target}: ${error instanceof Error ? error.message : error}`)
  }
}

function typeOf(source: string): 'directory' | 'file' {
  return fs.statSync(source).isDirectory() ? 'directory' : 'file'
}

/** Made for its user; runtimes would make it root's. */
function makeWorkingDirectory(root: number, spec: ProcessSpec): void {
  const { uid, gid } = spec.user
  const { fd } = resolveInRoot(root, spec.cwd, {
    create: 'directory',
    onCreate: (path, parent) => chownAt(parent, path.slice(path.lastIndexOf('/') + 1), uid, gid),
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
