/**
 * Where the overlay mounts of one process lie: what becomes a snapshot and the kernel's working directories beside the
 * snapshots, since these have to share a file system; everything else on a tmpfs of the process's own.
 *
 * Making and deleting files is most of what a short step costs, so what is not needed any more is deleted while other
 * processes run.
 */
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeDirectorySync } from '../util/make-directory.ts'
import { removeTree } from '../util/remove-tree.ts'
import { mountOld, unmount } from '../util/syscalls.ts'

const MS_SHARED = 1 << 20

/** What becomes a snapshot. */
export interface SnapshotPlace {
  /** The directory that gets the snapshot's name. */
  readonly place: string
  /** `fs` in it, for the content. */
  readonly upper: string
  /** The kernel's working directory, beside it. */
  readonly work: string
}

export class OverlayPlaces {
  readonly #directory: string
  readonly #memory: string
  readonly #backdrops = new Map<string, string>()
  readonly #discarded: string[] = []
  /** Made while the process of the one before runs. */
  #spare: SnapshotPlace | undefined
  #closed = false
  #count = 0

  /** @param directory an empty one of its own, removed by {@link close} */
  constructor(directory: string) {
    this.#directory = directory
    this.#memory = join(directory, 'memory')
    mkdirSync(this.#memory)
    mountOld('tmpfs', this.#memory, 'tmpfs', 0, 'mode=700')
    // What is mounted here later shows in namespaces that were copied from this one before, too.
    mountOld('', this.#memory, '', MS_SHARED, '')
  }

  /** A new directory on the snapshots' file system. */
  onDisk(): string {
    return this.#make(this.#directory)
  }

  /** New directories for an active snapshot. */
  forSnapshot(): SnapshotPlace {
    const made = this.#spare ?? this.#makePlace()
    this.#spare = undefined
    setImmediate(() => this.#makeSpare())
    return made
  }

  #makeSpare(): void {
    if (this.#closed) return
    try {
      this.#spare ??= this.#makePlace()
    } catch {
      // Whoever needs it meets the error.
    }
  }

  /** A new directory on the tmpfs. */
  inMemory(): string {
    return this.#make(this.#memory)
  }

  /**
   * A directory with these empty files (absolute paths), for the bottom of a stack. All have the same old time, so that
   * what is copied up from there is the same in every build. It never changes, as nothing may below a mounted overlay.
   */
  backdrop(files: readonly string[]): string {
    const key = files.join('\n')
    let directory = this.#backdrops.get(key)
    if (directory === undefined) {
      directory = this.inMemory()
      for (const file of files) writeEmptyFile(directory, file)
      this.#backdrops.set(key, directory)
    }
    return directory
  }

  /** A path on the tmpfs where nothing is yet. */
  unused(): string {
    return join(this.#memory, String(++this.#count))
  }

  /** Deletes a small directory on the snapshots' file system when what is under way has got its turn. */
  discard(path: string): void {
    if (this.#discarded.push(path) === 1) setImmediate(() => this.#removeDiscarded())
  }

  #removeDiscarded(): void {
    for (const path of this.#discarded.splice(0)) {
      try {
        removeTree(path)
      } catch {
        // It is deleted with all the rest.
      }
    }
  }

  /** Unmounts and deletes all. */
  close(): void {
    this.#closed = true
    unmount(this.#memory)
    removeTree(this.#directory)
  }

  #makePlace(): SnapshotPlace {
    const place = this.onDisk()
    const upper = join(place, 'fs')
    mkdirSync(upper)
    return { place, upper, work: this.onDisk() }
  }

  #make(parent: string): string {
    const path = join(parent, String(++this.#count))
    mkdirSync(path)
    return path
  }
}

function writeEmptyFile(directory: string, file: string): void {
  const path = join(directory, file)
  makeDirectorySync(dirname(path))
  writeFileSync(path, '')
  for (let at = path; at !== directory; at = dirname(at)) utimesSync(at, 0, 0)
}
