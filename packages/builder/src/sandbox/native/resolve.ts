/**
 * Resolves a path inside a root directory component by component, holding a descriptor on each: links are followed as
 * the process inside would see them, and neither a link nor a directory swapped meanwhile leads out of the root.
 *
 * It is what openat2 does with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS, on every kernel and behind every filter of
 * system calls, and it can make what is missing, which that cannot. What it gives is a descriptor: whoever used the
 * path that it also gives would walk it again.
 */
import fs from 'node:fs'
import { hasCode } from '../../util/has-code.ts'
import {
  AT_FDCWD,
  createFileAt,
  mkdirAt,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openAt,
  openIfThere,
  readLinkOf,
} from './files.ts'
import { SystemError } from './libc.ts'

const LINK_LIMIT = 40
/** An entry that somebody else makes and takes away all the time is given up after so many looks. */
const MOST_LOOKS = 1000
const ENOENT = 2
const ENOTDIR = 20
const ELOOP = 40

export interface ResolveOptions {
  /** Makes what is missing: directories (0755), and at the end a directory or an empty file (0644). */
  readonly create?: 'directory' | 'file'
  /** Told of each entry that was made: its resolved path, and descriptors of its parent directory and of itself. */
  readonly onCreate?: (path: string, parent: number, kind: 'directory' | 'file', made: number) => void
  /** Called before an entry is made in `parent`. */
  readonly beforeCreate?: (parent: number) => void
  /** The last component is not followed when it is a link. */
  readonly noFollowLast?: boolean
  /** No link may stand anywhere on the path. */
  readonly noLinks?: boolean
}

export interface Resolved {
  /** O_PATH descriptor; the caller closes it. */
  readonly fd: number
  /** The path without links, as seen inside the root, starting with `/`. */
  readonly path: string
  /** st_mode. */
  readonly mode: number
}

interface Place {
  readonly fd: number
  readonly name: string
}

/** {@link resolveInRoot} below the directory at a path of our own. */
export function resolveBelow(root: string, path: string, options: ResolveOptions = {}): Resolved {
  const fd = openAt(AT_FDCWD, root, O_PATH | O_DIRECTORY)
  return closing(fd, () => resolveInRoot(fd, path, options))
}

/** Opens `path` inside the directory `root` refers to. Throws a SystemError (ENOENT, ENOTDIR, ELOOP …) on failure. */
export function resolveInRoot(root: number, path: string, options: ResolveOptions = {}): Resolved {
  const todo = path.split('/').reverse()
  const places: Place[] = []
  const here = (): number => places.at(-1)?.fd ?? root
  const leave = (): void => {
    const place = places.pop()
    if (place) fs.closeSync(place.fd)
  }
  const pathOf = (name?: string): string =>
    `/${[...places.map((p) => p.name), ...(name === undefined ? [] : [name])].join('/')}`
  let links = 0
  let mode = fs.constants.S_IFDIR
  try {
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (name === '' || name === '.') continue
      if ((mode & fs.constants.S_IFMT) !== fs.constants.S_IFDIR) throw new SystemError('open', ENOTDIR, path)
      if (name === '..') {
        leave()
        continue
      }
      const last = todo.every((rest) => rest === '' || rest === '.')
      const fd = openEntry(here(), name, last, options, pathOf(name))
      mode = fs.fstatSync(fd).mode
      if ((mode & fs.constants.S_IFMT) === fs.constants.S_IFLNK && !(last && options.noFollowLast)) {
        const target = closing(fd, () => readLinkOf(fd))
        if (++links > LINK_LIMIT || options.noLinks) throw new SystemError('open', ELOOP, path)
        if (target.startsWith('/')) while (places.length > 0) leave()
        todo.push(...target.split('/').reverse())
        mode = fs.constants.S_IFDIR
        continue
      }
      places.push({ fd, name })
    }
    const fd = places.at(-1)?.fd
    const resolved = { fd: fd ?? openAt(root, '.', O_PATH), path: pathOf(), mode }
    if (fd !== undefined) places[places.length - 1] = { fd: -1, name: '' }
    return resolved
  } finally {
    for (const place of places) if (place.fd >= 0) fs.closeSync(place.fd)
  }
}

function openEntry(dir: number, name: string, last: boolean, options: ResolveOptions, path: string): number {
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    const found = openIfThere(dir, name, O_PATH | O_NOFOLLOW)
    if (found !== undefined) return found
    if (options.create === undefined) break
    const made = makeEntry(dir, name, last ? options.create : 'directory', options, path)
    if (made !== undefined) return made
  }
  throw new SystemError('open', ENOENT, path)
}

/** undefined: somebody else made one, or took this one away. */
function makeEntry(
  dir: number,
  name: string,
  kind: 'directory' | 'file',
  options: ResolveOptions,
  path: string,
): number | undefined {
  options.beforeCreate?.(dir)
  try {
    if (kind === 'file') createFileAt(dir, name, 0o644)
    else mkdirAt(dir, name, 0o755)
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return undefined
    throw error
  }
  const made = openIfThere(dir, name, O_PATH | O_NOFOLLOW)
  if (made === undefined) return undefined
  // What stands there by now may be another one's: it is used as it would be had it been there before.
  const wanted = kind === 'file' ? fs.constants.S_IFREG : fs.constants.S_IFDIR
  if ((fs.fstatSync(made).mode & fs.constants.S_IFMT) === wanted) options.onCreate?.(path, dir, kind, made)
  return made
}

function closing<T>(fd: number, use: () => T): T {
  try {
    return use()
  } finally {
    fs.closeSync(fd)
  }
}
