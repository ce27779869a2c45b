/**
 * Files that take the place of mounts where nothing can be mounted: what stood there is moved aside and moved back
 * afterwards, so that the root filesystem is left as mounts would have left it.
 *
 * The process may do to its root filesystem what it likes, so everything that is undone is reached by descriptors that
 * were opened before it ran: a directory that it has moved is still found, what stands at its old place is left alone,
 * and no link leads anywhere.
 */
import fs from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { hasCode } from '../../util/has-code.ts'
import { sandboxErrors } from '../errors.ts'
import type { SandboxMount } from '../executor.ts'
import { checkTarget } from '../mounts/order.ts'
import { MountPoints, type Stub } from '../mounts/points.ts'
import { devices } from '../mounts/standard.ts'
import { removeStubs } from '../mounts/stubs.ts'
import { AT_FDCWD, mkdirAt, O_DIRECTORY, O_NOFOLLOW, O_PATH, openAt, setTimesOf } from '../native/files.ts'
import { resolveInRoot } from '../native/resolve.ts'
import { copyTree } from './copy-tree.ts'
import { makeDevice } from './devices.ts'
import { at, namesIn, removeEntry } from './entries.ts'
import { giveBack } from './give-back.ts'
import { procFiles } from './proc-files.ts'

interface Put {
  /** Descriptor of the directory that it was put into. */
  readonly parent: number
  readonly name: string
  /** Name of the original in the holding directory. */
  readonly held: string
  /** Times of the directory before. */
  readonly atimeNs: bigint
  readonly mtimeNs: bigint
  /** Called before it is taken away. */
  readonly end: End | undefined
}

type End = () => Promise<void>
/** Makes an entry of a directory. */
type Make = (parent: number, name: string) => Promise<End | undefined> | End | undefined

export class Substitutes implements AsyncDisposable {
  readonly #rootfs: string
  /** On the same file system, so that originals are moved, not copied. */
  readonly #holding: string
  readonly #aside: number
  readonly #root: number
  readonly #stubs: Stub[] = []
  readonly #puts: Put[] = []
  readonly #points: MountPoints

  private constructor(rootfs: string, holding: string) {
    this.#rootfs = rootfs
    this.#holding = holding
    this.#aside = fs.openSync(holding, O_DIRECTORY | O_NOFOLLOW)
    this.#root = openAt(AT_FDCWD, rootfs, O_PATH | O_DIRECTORY)
    this.#points = new MountPoints(this.#root, (stub) => this.#stubs.push(stub))
  }

  /** @param rootfs root of a file system that nobody else changes */
  static async open(rootfs: string): Promise<Substitutes> {
    return new Substitutes(rootfs, await mkdtemp(join(dirname(rootfs), `.${basename(rootfs)}-aside-`)))
  }

  /** /proc, /dev and /sys as far as they can be had: a few files and devices. The directories stay, as with mounts. */
  async standard(): Promise<void> {
    for (const name of ['proc', 'dev', 'sys']) {
      const stat = fs.lstatSync(at(this.#root, name), { throwIfNoEntry: false })
      if (stat === undefined) mkdirAt(this.#root, name, 0o755)
      else if (!stat.isDirectory()) throw new Error(`/${name} must be an ordinary directory`)
    }
    for (const [name, content] of procFiles())
      await this.#replace(`/proc/${name}`, 'file', (parent) => makeFile(parent, name, content, { mode: 0o444 }))
    for (const name of Object.keys(devices) as (keyof typeof devices)[])
      await this.#replace(`/dev/${name}`, 'file', (parent) => makeDevice(parent, name))
    await this.#replace('/dev/shm', 'directory', (parent, name) => makeDirectory(parent, name, 0o1777))
  }

  /** Puts what a mount would show at its target. */
  async put(mount: SandboxMount): Promise<void> {
    try {
      checkTarget(mount.target)
      if (mount.type === 'tmpfs')
        await this.#replace(mount.target, 'directory', (parent, name) =>
          makeDirectory(parent, name, mount.mode ?? 0o1777),
        )
      else if (mount.type === 'file')
        await this.#replace(mount.target, 'file', (parent, name) => makeFile(parent, name, mount.content, mount))
      else await this.#putCopy(mount)
    } catch (error) {
      throw new Error(`mount ${mount.type} on ${mount.target}: ${error instanceof Error ? error.message : error}`)
    }
  }

  async #putCopy({ source, target, readonly }: SandboxMount & { type: 'bind' }): Promise<void> {
    const origin = openAt(AT_FDCWD, source, O_PATH)
    let keep = false
    try {
      const stat = fs.fstatSync(origin)
      await this.#replace(target, stat.isDirectory() ? 'directory' : 'file', async (parent, name) => {
        // A copy of a socket could not be connected to.
        if (stat.isSocket()) {
          fs.linkSync(fs.realpathSync(source), at(parent, name))
          return undefined
        }
        const known = await copyTree(origin, parent, name)
        if (known === undefined) throw new Error('neither a file nor a directory nor a socket')
        if (readonly) return undefined
        const copy = openAt(parent, name, O_PATH | O_NOFOLLOW)
        keep = true
        return async () => {
          try {
            await giveBack(copy, known, origin)
          } finally {
            fs.closeSync(copy)
            fs.closeSync(origin)
          }
        }
      })
    } finally {
      if (!keep) fs.closeSync(origin)
    }
  }

  async #replace(target: string, kind: 'directory' | 'file', make: Make): Promise<void> {
    let path = ''
    this.#points.at(target, kind, (_, resolved) => {
      path = resolved
    })
    const name = basename(path)
    const parent = resolveInRoot(this.#root, dirname(path), { noLinks: true }).fd
    const held = String(this.#puts.length)
    const { atimeNs, mtimeNs } = fs.fstatSync(parent, { bigint: true })
    fs.renameSync(at(parent, name), at(this.#aside, held))
    const put: Put = { parent, name, held, atimeNs, mtimeNs, end: undefined }
    const index = this.#puts.push(put) - 1
    this.#puts[index] = { ...put, end: await make(parent, name) }
    setTimesOf(parent, atimeNs, mtimeNs)
  }

  /** Takes everything away again; what was changed in writable mounts goes back to where it came from. */
  async [Symbol.asyncDispose](): Promise<void> {
    const errors: unknown[] = []
    for (const put of this.#puts.toReversed()) {
      try {
        await this.#undo(put)
      } catch (error) {
        errors.push(error)
      }
      fs.closeSync(put.parent)
    }
    fs.closeSync(this.#root)
    removeStubs(this.#rootfs, this.#stubs)
    for (const name of namesIn(this.#aside)) removeEntry(this.#aside, name)
    fs.closeSync(this.#aside)
    fs.rmdirSync(this.#holding)
    const [error] = errors
    if (error instanceof Error)
      throw sandboxErrors.setupFailed([`what was mounted cannot be taken back: ${error.message}`], { cause: error })
  }

  async #undo(put: Put): Promise<void> {
    try {
      await put.end?.()
    } finally {
      this.#restore(put)
    }
  }

  #restore({ parent, name, held, atimeNs, mtimeNs }: Put): void {
    const untouched = fs.fstatSync(parent, { bigint: true }).mtimeNs === mtimeNs
    removeEntry(parent, name)
    try {
      fs.renameSync(at(this.#aside, held), at(parent, name))
      if (untouched) setTimesOf(parent, atimeNs, mtimeNs)
    } catch (error) {
      // The process has deleted the directory, as it may: then the original goes, too.
      if (!hasCode(error, 'ENOENT')) throw error
    }
  }
}

function makeDirectory(parent: number, name: string, mode: number): undefined {
  mkdirAt(parent, name, 0o700)
  const fd = openAt(parent, name, O_DIRECTORY | O_NOFOLLOW)
  fs.fchmodSync(fd, mode)
  fs.closeSync(fd)
}

/** What it holds is gone afterwards, under whatever names the process has kept it. */
function makeFile(
  parent: number,
  name: string,
  content: Uint8Array,
  { mode, uid = 0, gid = 0 }: { mode: number; uid?: number; gid?: number },
): End {
  const { O_CREAT, O_EXCL, O_WRONLY } = fs.constants
  const fd = openAt(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600)
  try {
    for (let done = 0; done < content.length; ) done += fs.writeSync(fd, content, done)
    fs.fchownSync(fd, uid, gid)
    fs.fchmodSync(fd, mode)
  } finally {
    fs.closeSync(fd)
  }
  const file = openAt(parent, name, O_PATH | O_NOFOLLOW)
  return async () => {
    try {
      fs.truncateSync(`/proc/self/fd/${file}`)
    } finally {
      fs.closeSync(file)
    }
  }
}
