/** Where COPY writes to: destinations resolved inside the root, and the directories made on the way to them. */
import { basename, dirname } from 'node:path'
import { relativeToRoot } from '../../util/inroot.ts'
import { type Draft, join, split } from './draft.ts'
import { fileErrors } from './errors.ts'
import type { Ids } from './owner.ts'

const SETGID = 0o2000

/** What directories get that have to be made. */
export interface DirectoryAttributes {
  readonly mode: number
  /** undefined: root. */
  readonly owner: Ids | undefined
}

/** Makes directories of one layer and remembers them, so that they get their time when everything is in them. */
export class DirectoryMaker {
  readonly #draft: Draft
  readonly #mtimeNs: bigint | undefined
  readonly #made: string[] = []

  /** @param mtimeNs their time; undefined leaves it to what happens in them */
  constructor(draft: Draft, mtimeNs: bigint | undefined) {
    this.#draft = draft
    this.#mtimeNs = mtimeNs
  }

  /**
   * Makes a directory and what is missing above it; existing ones stay as they are.
   *
   * @param path free of links
   * @returns whether the directory was missing
   */
  make(path: string, { mode, owner }: DirectoryAttributes): boolean {
    const missing: string[] = []
    let gid = 0
    let setgid = 0
    for (let at = path; ; at = split(at)[0]) {
      const node = this.#draft.lstat(at)
      if (node?.type === 'directory') {
        // As mkdir has it: the bit and the group come from above.
        setgid = node.mode & SETGID
        if (setgid !== 0) gid = node.gid
        break
      }
      if (node !== undefined) throw fileErrors.io([`mkdir /${at}: not a directory`])
      missing.push(at)
    }
    for (const at of missing.reverse()) {
      refuseWhiteout(at)
      gid = owner?.gid ?? gid
      this.#draft.mkdir(at, { mode: (mode & 0o777) | setgid, uid: owner?.uid ?? 0, gid })
      this.#made.push(at)
    }
    return missing.length > 0
  }

  /** Gives the directories made their time. */
  finish(): void {
    if (this.#mtimeNs === undefined) return
    for (const path of this.#made) this.#draft.directory(path).mtimeNs = this.#mtimeNs
  }
}

/** Whether a destination was written as a directory. */
function namesDirectory(dest: string): boolean {
  return dest.endsWith('/') || dest.endsWith('/.') || dest === '' || dest === '.'
}

/**
 * Finds where a matched source goes and makes the directories it needs: a directory's content goes to `dest` itself, a
 * file into `dest` if that is a directory, else it becomes `dest`. Links of the image are followed, also dangling ones.
 *
 * @returns a path free of links but for its last component
 */
export function prepareDestination(
  draft: Draft,
  dest: string,
  source: { readonly name: string; readonly isDirectory: boolean },
  maker: DirectoryMaker,
  attributes: DirectoryAttributes,
): string {
  const above = namesDirectory(dest) ? dest : dirname(dest)
  maker.make(draft.resolve(relativeToRoot(above)), attributes)
  const path = draft.resolve(relativeToRoot(dest))
  const node = draft.lstat(path)
  if (source.isDirectory) {
    if (node === undefined) maker.make(path, attributes)
    return path
  }
  if (node?.type === 'directory') return join(path, source.name)
  maker.make(split(path)[0], attributes)
  return path
}

/** Throws for names that mean deletions in layers. */
export function refuseWhiteout(path: string): void {
  if (basename(path).startsWith('.wh.')) throw fileErrors.whiteoutName([`/${path}`])
}
