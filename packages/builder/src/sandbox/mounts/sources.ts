/**
 * Sources of bind mounts. What a mount shows is found once, by descriptor; since executors take paths (an OCI runtime
 * can take nothing else), it is then mounted in a place of the worker's own, where no process can put another thing
 * between the look and the mount.
 */
import fs from 'node:fs'
import { join } from 'node:path'
import { hasCode } from '../../util/has-code.ts'
import { AT_FDCWD, O_NOFOLLOW, O_PATH, openAt } from '../native/files.ts'
import { bindOn, detach, MS, mount } from '../native/mount.ts'

/** What can be the source of a bind mount, as a path that leads there whatever others do meanwhile. */
export interface MountSource extends Disposable {
  readonly path: string
}

export class MountSources implements Disposable {
  readonly #directory: string
  /** Otherwise sources are descriptors of this process, by their paths in /proc: others can only copy what they show. */
  readonly #mounts: boolean
  #count = 0

  /**
   * To be made before the first process is started: what is mounted later has to be seen in namespaces that were copied
   * before then (namespaces/stage.ts).
   *
   * @param directory made, and removed when this is disposed
   */
  constructor(directory: string) {
    this.#directory = directory
    fs.mkdirSync(directory, { mode: 0o700 })
    this.#mounts = mountShared(directory)
    if (!this.#mounts) fs.rmdirSync(directory)
  }

  /** A source for what `fd` is open on, O_PATH or not. The descriptor is taken over. */
  take(fd: number): MountSource {
    if (!this.#mounts) return { path: `/proc/${process.pid}/fd/${fd}`, [Symbol.dispose]: () => fs.closeSync(fd) }
    const path = join(this.#directory, String(++this.#count))
    try {
      if (fs.fstatSync(fd).isDirectory()) fs.mkdirSync(path)
      else fs.writeFileSync(path, '', { flag: 'wx' })
      const place = openAt(AT_FDCWD, path, O_PATH | O_NOFOLLOW)
      try {
        bindOn(fd, place, { recursive: true })
      } finally {
        fs.closeSync(place)
      }
    } finally {
      fs.closeSync(fd)
    }
    return { path, [Symbol.dispose]: () => detach(path) }
  }

  [Symbol.dispose](): void {
    if (!this.#mounts) return
    detach(this.#directory)
    fs.rmdirSync(this.#directory)
  }
}

/** false where this process may not mount. */
function mountShared(directory: string): boolean {
  try {
    mount('tmpfs', directory, 'tmpfs', MS.NOSUID | MS.NODEV | MS.NOEXEC, 'mode=700')
  } catch (error) {
    if (hasCode(error, 'EPERM', 'EACCES')) return false
    throw error
  }
  mount(null, directory, null, MS.SHARED)
  return true
}
