/**
 * Paths below a directory that others may change while it is walked. Each directory on the way is opened once, without
 * following a link, and what is in it is named by way of its descriptor.
 */
import { chmodSync, closeSync, constants, openSync } from 'node:fs'
import { fsPath } from '../util/raw-path.ts'

const O_PATH = 0o10000000
const DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW

export class Places implements Disposable {
  readonly #root: number
  /** The directories on the way to what was asked for last. */
  readonly #open: { readonly name: string; readonly fd: number }[] = []

  /** @param root a directory at a path that nobody else can change */
  constructor(root: string) {
    this.#root = openSync(fsPath(root), O_PATH | constants.O_DIRECTORY)
  }

  /**
   * The path of an entry, for calls that follow no link at its end; until the next one is asked for.
   *
   * @param path relative, without `.` and `..`
   * @throws what open throws when something on the way is no directory (ENOENT, ENOTDIR, ELOOP)
   */
  at(path: string): string {
    const parts = path.split('/')
    const name = parts.pop()!
    return `/proc/self/fd/${this.#enter(parts)}/${name}`
  }

  /** The path of a directory itself, for any call; until the next one is asked for. */
  directory(path: string): string {
    return `/proc/self/fd/${this.#enter(path === '' ? [] : path.split('/'))}`
  }

  /** The same directory, for a second path at the same time. The caller disposes it. */
  again(): Places {
    return new Places(`/proc/self/fd/${this.#root}`)
  }

  #enter(parts: readonly string[]): number {
    let depth = 0
    while (depth < this.#open.length && this.#open[depth]?.name === parts[depth]) depth++
    for (const { fd } of this.#open.splice(depth)) closeSync(fd)
    for (const name of parts.slice(depth))
      this.#open.push({ name, fd: openSync(fsPath(`/proc/self/fd/${this.#current}/${name}`), DIRECTORY) })
    return this.#current
  }

  get #current(): number {
    return this.#open.at(-1)?.fd ?? this.#root
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#open.splice(0)) closeSync(fd)
    closeSync(this.#root)
  }
}

/** chmod(2) that follows no link: one that has taken the place of a file gets nothing. */
export function chmodEntry(path: string, mode: number): void {
  const fd = openSync(fsPath(path), O_PATH | constants.O_NOFOLLOW)
  try {
    chmodSync(`/proc/self/fd/${fd}`, mode)
  } finally {
    closeSync(fd)
  }
}
