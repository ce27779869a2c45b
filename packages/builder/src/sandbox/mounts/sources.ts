/**
 * Sources of bind mounts. What a mount shows is found once, by descriptor; since executors take paths (an OCI runtime
 * can take nothing else), it is then mounted in a place of the worker's own, where no process can put another thing
 * between the look and the mount.
 */
import fs from 'node:fs'
import { join } from 'node:path'
import { AT_FDCWD, O_NOFOLLOW, O_PATH, openAt } from '../native/files.ts'
import { bindOn, detach, MS, mount } from '../native/mount.ts'

/** What can be the source of a bind mount, as a path that leads there whatever others do meanwhile. */
export interface MountSource extends Disposable {
  readonly path: string
}

export class MountSources implements Disposable {
  readonly #directory: string
  readonly #canMount: boolean
  #count = 0

  /**
   * To be made before the first process is started: what is mounted later has to be seen in namespaces that were copied
   * before then (namespaces/stage.ts).
   *
   * @param directory made, and removed when this is disposed
   * @param canMount otherwise sources are descriptors of this process, by their paths in /proc: nobody else can use them
   */
  constructor(directory: string, canMount: boolean) {
    this.#directory = directory
    this.#canMount = canMount
    if (!canMount) return
    fs.mkdirSync(directory, { mode: 0o700 })
    mount('tmpfs', directory, 'tmpfs', MS.NOSUID | MS.NODEV | MS.NOEXEC, 'mode=700')
    mount(null, directory, null, MS.SHARED)
  }

  /** A source for what `fd` is open on, O_PATH or not. The descriptor is taken over. */
  take(fd: number): MountSource {
    if (!this.#canMount) return { path: `/proc/self/fd/${fd}`, [Symbol.dispose]: () => fs.closeSync(fd) }
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
    if (!this.#canMount) return
    detach(this.#directory)
    fs.rmdirSync(this.#directory)
  }
}
