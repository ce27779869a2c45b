/** Where COPY writes to: destinations resolved inside the root, and the directories made on the way to them. */
import { chmodSync, lchownSync, lstatSync, mkdirSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { hasCode } from '../../util/has-code.ts'
import { relativeToRoot, resolveInRoot } from '../../util/inroot.ts'
import { fsPath } from '../../util/raw-path.ts'
import { setTimes } from '../../util/syscalls.ts'
import { fileErrors } from './errors.ts'
import type { Ids } from './owner.ts'

/** What directories get that have to be made. */
export interface DirectoryAttributes {
  readonly mode: number
  /** undefined: whoever runs this, root in the worker. */
  readonly owner: Ids | undefined
}

/** Makes directories below one root and remembers them, so that they get their time when everything is in them. */
export class DirectoryMaker {
  readonly #root: string
  readonly #mtimeNs: bigint | undefined
  readonly #made: string[] = []

  /** @param mtimeNs their time; undefined leaves it to the clock */
  constructor(root: string, mtimeNs: bigint | undefined) {
    this.#root = root
    this.#mtimeNs = mtimeNs
  }

  /**
   * Makes a directory and what is missing above it; existing ones stay as they are.
   *
   * @param path host path below the root, free of links
   * @returns whether the directory was missing
   */
  make(path: string, attributes: DirectoryAttributes): boolean {
    const missing: string[] = []
    for (let at = path; ; at = dirname(at)) {
      const stat = lstatSync(fsPath(at), { throwIfNoEntry: false })
      if (stat !== undefined) {
        if (stat.isDirectory()) break
        throw fileErrors.io([`mkdir ${inRoot(this.#root, at)}: not a directory`])
      }
      missing.push(at)
    }
    for (const at of missing.reverse()) {
      refuseWhiteout(this.#root, at)
      const raw = fsPath(at)
      mkdirSync(raw, attributes.mode & 0o777)
      if (attributes.owner !== undefined) this.#chown(at, attributes.owner)
      // Whatever the umask took away; a setgid bit that came from above stays, as mkdir has it.
      chmodSync(raw, (attributes.mode & 0o777) | (lstatSync(raw).mode & 0o2000))
      this.#made.push(at)
    }
    return missing.length > 0
  }

  #chown(path: string, { uid, gid }: Ids): void {
    try {
      lchownSync(fsPath(path), uid, gid)
    } catch (error) {
      if (!hasCode(error, 'EINVAL')) throw error
      throw fileErrors.unmappedOwner([inRoot(this.#root, path), uid, gid], { cause: error })
    }
  }

  /** Gives the directories made their time. */
  finish(): void {
    if (this.#mtimeNs === undefined) return
    for (const path of this.#made.reverse()) setTimes(fsPath(path), this.#mtimeNs)
  }
}

/** Whether a destination was written as a directory. */
function namesDirectory(dest: string): boolean {
  return dest.endsWith('/') || dest.endsWith('/.') || dest === '' || dest === '.'
}

export interface Destination {
  /** Host path, free of links but for its last component. */
  readonly path: string
  /** Whether a directory was made there just now. */
  readonly fresh: boolean
}

/**
 * Finds where a matched source goes and makes the directories it needs: a directory's content goes to `dest` itself, a
 * file into `dest` if that is a directory, else it becomes `dest`. Links of the image are followed, also dangling ones.
 */
export function prepareDestination(
  root: string,
  dest: string,
  source: { readonly name: string; readonly isDirectory: boolean },
  maker: DirectoryMaker,
  attributes: DirectoryAttributes,
): Destination {
  const above = namesDirectory(dest) ? dest : dirname(dest)
  maker.make(resolveInRoot(root, relativeToRoot(above)), attributes)
  const path = resolveInRoot(root, relativeToRoot(dest))
  const stat = lstatSync(fsPath(path), { throwIfNoEntry: false })
  if (source.isDirectory) return { path, fresh: stat === undefined && maker.make(path, attributes) }
  if (stat?.isDirectory()) return { path: `${path === '/' ? '' : path}/${source.name}`, fresh: false }
  maker.make(dirname(path), attributes)
  return { path, fresh: false }
}

/** The path inside the root, for messages. */
export function inRoot(root: string, path: string): string {
  return root === '/' ? path : path.slice(root.length) || '/'
}

/** Throws for names that mean deletions in layers. */
export function refuseWhiteout(root: string, path: string): void {
  if (basename(path).startsWith('.wh.')) throw fileErrors.whiteoutName([inRoot(root, path)])
}
