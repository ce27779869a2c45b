/**
 * Files that take the place of mounts: what stood there is moved aside and moved back afterwards, so that the root
 * filesystem is left as mounts would have left it.
 */
import fs from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { hasCode } from '../../util/has-code.ts'
import type { SandboxMount } from '../executor.ts'
import { checkTarget } from '../mounts/order.ts'
import { MountPoints, type Stub } from '../mounts/points.ts'
import { removeStubs } from '../mounts/stubs.ts'
import { AT_FDCWD, O_DIRECTORY, O_PATH, openAt, setTimesOf } from '../native/files.ts'
import { copyTree, moveChildren } from './copy-tree.ts'
import { makeDevice } from './devices.ts'

interface Put {
  /** Path on the machine, without links below the root. */
  readonly path: string
  /** Where the original waits. */
  readonly held: string
  /** Source that gets the changed content back. */
  readonly returnTo: string | undefined
  /** Times of the directory before. */
  readonly parentAtimeNs: bigint
  readonly parentMtimeNs: bigint
}

/** What programs read in /proc that is the same for all processes; the rest of /proc cannot be had without mounting. */
const PROC_FILES = ['cpuinfo', 'filesystems', 'loadavg', 'meminfo', 'stat', 'uptime', 'version']

export class Substitutes implements AsyncDisposable {
  readonly #rootfs: string
  /** On the same file system, so that originals are moved, not copied. */
  readonly #holding: string
  readonly #root: number
  readonly #stubs: Stub[] = []
  readonly #puts: Put[] = []
  readonly #points: MountPoints

  private constructor(rootfs: string, holding: string) {
    this.#rootfs = rootfs
    this.#holding = holding
    this.#root = openAt(AT_FDCWD, rootfs, O_PATH | O_DIRECTORY)
    this.#points = new MountPoints(this.#root, (stub) => this.#stubs.push(stub))
  }

  /** @param rootfs root of a file system that nobody else changes */
  static async open(rootfs: string): Promise<Substitutes> {
    // Beside the root where that is the same file system (not so for a mounted root).
    const beside = fs.statSync(dirname(rootfs)).dev === fs.statSync(rootfs).dev
    const prefix = beside ? join(dirname(rootfs), `.${basename(rootfs)}-aside-`) : join(rootfs, '.aside-')
    return new Substitutes(rootfs, await mkdtemp(prefix))
  }

  /** /proc, /dev and /sys as far as they can be had: a few files and devices. The directories stay, as with mounts. */
  async standard(): Promise<void> {
    for (const name of ['proc', 'dev', 'sys']) {
      const path = join(this.#rootfs, name)
      const stat = fs.lstatSync(path, { throwIfNoEntry: false })
      if (stat === undefined) fs.mkdirSync(path, { mode: 0o755 })
      else if (!stat.isDirectory()) throw new Error(`/${name} must be an ordinary directory`)
    }
    for (const name of PROC_FILES) {
      const content = fs.readFileSync(`/proc/${name}`)
      await this.#replace(`/proc/${name}`, 'file', (path) => fs.writeFileSync(path, content, { mode: 0o444 }))
    }
    for (const name of ['null', 'zero', 'full', 'random', 'urandom', 'tty'] as const)
      await this.#replace(`/dev/${name}`, 'file', (path) => makeDevice(path, name))
    await this.#replace('/dev/shm', 'directory', (path) => makeDirectory(path, 0o1777))
  }

  /** Puts what a mount would show at its target. */
  async put(mount: SandboxMount): Promise<void> {
    try {
      checkTarget(mount.target)
      if (mount.type === 'tmpfs') {
        await this.#replace(mount.target, 'directory', (path) => makeDirectory(path, mount.mode ?? 0o1777))
      } else if (mount.type === 'file') {
        await this.#replace(mount.target, 'file', (path) => {
          fs.writeFileSync(path, mount.content, { mode: 0o600, flag: 'wx' })
          fs.chownSync(path, mount.uid, mount.gid)
          fs.chmodSync(path, mount.mode)
        })
      } else {
        const kind = fs.statSync(mount.source).isDirectory() ? 'directory' : 'file'
        const returnTo = mount.readonly || fs.statSync(mount.source).isSocket() ? undefined : mount.source
        await this.#replace(mount.target, kind, (path) => copyTree(fs.realpathSync(mount.source), path), returnTo)
      }
    } catch (error) {
      throw new Error(`mount ${mount.type} on ${mount.target}: ${error instanceof Error ? error.message : error}`)
    }
  }

  async #replace(
    target: string,
    kind: 'directory' | 'file',
    make: (path: string) => void | Promise<void>,
    returnTo?: string,
  ): Promise<void> {
    let path = ''
    this.#points.at(target, kind, (_, resolved) => {
      path = join(this.#rootfs, resolved)
    })
    const held = join(this.#holding, String(this.#puts.length))
    const before = fs.statSync(dirname(path), { bigint: true })
    fs.renameSync(path, held)
    this.#puts.push({ path, held, returnTo, parentAtimeNs: before.atimeNs, parentMtimeNs: before.mtimeNs })
    await make(path)
    setTimes(dirname(path), before.atimeNs, before.mtimeNs)
  }

  /** Takes everything away again; content of writable mounts goes back to where it came from. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { path, held, returnTo, parentAtimeNs, parentMtimeNs } of this.#puts.toReversed()) {
      if (returnTo !== undefined) await giveBack(path, returnTo)
      const parent = fs.statSync(dirname(path), { bigint: true, throwIfNoEntry: false })
      await rm(path, { recursive: true, force: true })
      try {
        fs.renameSync(held, path)
        if (parent?.mtimeNs === parentMtimeNs) setTimes(dirname(path), parentAtimeNs, parentMtimeNs)
      } catch (error) {
        // The process has taken the parent directory away, as it may: then the original goes, too.
        if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
      }
    }
    fs.closeSync(this.#root)
    removeStubs(this.#rootfs, this.#stubs)
    await rm(this.#holding, { recursive: true, force: true })
  }
}

function setTimes(path: string, atimeNs: bigint, mtimeNs: bigint): void {
  const fd = openAt(AT_FDCWD, path, O_PATH)
  setTimesOf(fd, atimeNs, mtimeNs)
  fs.closeSync(fd)
}

function makeDirectory(path: string, mode: number): void {
  fs.mkdirSync(path)
  fs.chmodSync(path, mode)
}

async function giveBack(from: string, to: string): Promise<void> {
  const stat = fs.lstatSync(from, { throwIfNoEntry: false })
  if (stat?.isDirectory() && fs.statSync(to).isDirectory()) await moveChildren(from, to)
  else if (stat?.isFile() && fs.statSync(to).isFile()) fs.copyFileSync(from, to)
}
