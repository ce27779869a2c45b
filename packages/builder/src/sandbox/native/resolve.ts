/**
 * Resolves a path inside a root directory component by component, holding a descriptor on each: links are followed as
 * the process inside would see them, and neither a link nor a directory swapped meanwhile leads out of the root.
 */
import fs from 'node:fs'
import { createFileAt, mkdirAt, O_NOFOLLOW, O_PATH, openAt, openIfThere, readLinkOf } from './files.ts'
import { SystemError } from './libc.ts'

const LINK_LIMIT = 40
const ENOENT = 2
const ENOTDIR = 20
const ELOOP = 40

export interface ResolveOptions {
  /** Makes what is missing: directories (0755), and at the end a directory or an empty file (0644). */
  readonly create?: 'directory' | 'file'
  /** Told of each entry that was made: its resolved path and the descriptor of its parent directory. */
  readonly onCreate?: (path: string, parent: number, kind: 'directory' | 'file') => void
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
  const found = openIfThere(dir, name, O_PATH | O_NOFOLLOW)
  if (found !== undefined) return found
  if (options.create === undefined) throw new SystemError('open', ENOENT, path)
  const kind = last ? options.create : 'directory'
  options.beforeCreate?.(dir)
  if (kind === 'file') createFileAt(dir, name, 0o644)
  else mkdirAt(dir, name, 0o755)
  options.onCreate?.(path, dir, kind)
  return openAt(dir, name, O_PATH | O_NOFOLLOW)
}

function closing<T>(fd: number, use: () => T): T {
  try {
    return use()
  } finally {
    fs.closeSync(fd)
  }
}
