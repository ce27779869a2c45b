/**
 * Paths of archive entries inside a root directory: resolved component by component, links followed within the root only, as
 * if it were `/`. What was resolved is remembered until something that mattered to it is removed.
 */
import { type BigIntStats, lstatSync, mkdirSync, readlinkSync } from 'node:fs'
import { decodeName, fsPath } from '../util/raw-path.ts'
import { removeTree } from '../util/remove-tree.ts'
import { layerErrors } from './errors.ts'

/** Links that are followed on one way. */
export const MOST_LINKS = 255

/** A name in a directory that really is where it says. */
export interface Place {
  /** Resolved path of the directory in the root; '' is the root itself. */
  readonly parent: string
  readonly name: string
  /** Resolved path in the root. */
  readonly path: string
  /** Absolute path for system calls. */
  readonly absolute: string
}

/** Components of an entry's name: `.` and empty ones dropped, `..` taken back, never above the root. */
export function components(name: string): string[] {
  const parts: string[] = []
  for (const part of name.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts
}

export class RootedPaths {
  readonly #root: string
  /** Path as written (cleaned) → resolved path of a directory. */
  readonly #resolved = new Map<string, string>()
  readonly #onDirectory: (path: string, made: boolean, stat: BigIntStats | undefined) => void

  /**
   * @param root absolute path; nothing else may change it meanwhile
   * @param onDirectory told once of every directory that entries lie in, and whether it had to be made
   */
  constructor(root: string, onDirectory: (path: string, made: boolean, stat: BigIntStats | undefined) => void) {
    this.#root = root
    this.#onDirectory = onDirectory
    this.#resolved.set('', '')
    onDirectory('', false, lstatSync(root, { bigint: true }))
  }

  absolute(path: string): string {
    return path === '' ? this.#root : `${this.#root}/${path}`
  }

  stat(path: string): BigIntStats | undefined {
    return lstatSync(fsPath(this.absolute(path)), { bigint: true, throwIfNoEntry: false })
  }

  /**
   * Where the entry with these components goes. Directories on the way are made (0755) with `make`.
   *
   * @returns undefined when a directory is missing and not made
   * @throws UNPACK_FAILED when something on the way is not a directory
   */
  place(parts: readonly string[], make: boolean): Place | undefined {
    const parent = this.#directory(parts.slice(0, -1), make)
    if (parent === undefined) return undefined
    const name = parts.at(-1)!
    const path = join(parent, name)
    return { parent, name, path, absolute: this.absolute(path) }
  }

  /** Deletes what is at a resolved path. */
  remove(path: string, stat: BigIntStats): void {
    removeTree(this.absolute(path))
    if (!stat.isDirectory() && !stat.isSymbolicLink()) return
    this.#resolved.clear()
    this.#resolved.set('', '')
  }

  #directory(parts: readonly string[], make: boolean): string | undefined {
    const key = parts.join('/')
    const known = this.#resolved.get(key)
    if (known !== undefined) return known
    let links = 0
    // Iterative, since links add components; `at` is always resolved.
    const pending = [...parts].reverse()
    let at = ''
    let from = longestKnown(this.#resolved, parts)
    if (from > 0) {
      at = this.#resolved.get(parts.slice(0, from).join('/'))!
      pending.length -= from
    }
    for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
      if (part === '' || part === '.') continue
      if (part === '..') {
        at = at.slice(0, Math.max(0, at.lastIndexOf('/')))
        continue
      }
      const path = join(at, part)
      const stat = this.stat(path)
      if (!stat) {
        if (!make) return undefined
        mkdirSync(fsPath(this.absolute(path)), 0o755)
        this.#onDirectory(path, true, undefined)
        at = path
      } else if (stat.isSymbolicLink()) {
        if (++links > MOST_LINKS) throw layerErrors.unpackFailed([key, 'too many levels of symbolic links'])
        const target = decodeName(readlinkSync(fsPath(this.absolute(path)), 'buffer'))
        if (target.startsWith('/')) at = ''
        pending.push(...target.split('/').reverse())
        continue
      } else if (stat.isDirectory()) {
        this.#onDirectory(path, false, stat)
        at = path
      } else throw layerErrors.unpackFailed([key, `${path} is not a directory`])
      // Without a link so far, the resolved path is the written one.
      if (links === 0) this.#resolved.set(parts.slice(0, ++from).join('/'), at)
    }
    this.#resolved.set(key, at)
    return at
  }
}

function longestKnown(resolved: ReadonlyMap<string, string>, parts: readonly string[]): number {
  for (let length = parts.length - 1; length > 0; length--)
    if (resolved.has(parts.slice(0, length).join('/'))) return length
  return 0
}

function join(parent: string, name: string): string {
  return parent === '' ? name : `${parent}/${name}`
}
