/**
 * Paths inside a root directory: cleaned as text, and resolved so that no link leads out. Leaf module.
 *
 * Resolution goes component by component, as openat2's RESOLVE_IN_ROOT: an absolute link counts from the root, `..`
 * never rises above it. It is safe against links, not against somebody who changes the tree at the same time: callers
 * own the tree (a snapshot in the worker) or verify what they open.
 */
import { lstatSync, readlinkSync } from 'node:fs'
import { decodeName, fsPath } from './raw-path.ts'

/** Links that are followed in one resolution before it fails with ELOOP. */
const MAX_LINKS = 255

/**
 * As Go's path.Clean: the shortest path with the same meaning. `.` and empty components vanish, `..` takes the
 * component before it away; a rooted path never rises above `/`. '' becomes `.`.
 */
export function cleanPath(path: string): string {
  const rooted = path.startsWith('/')
  const out: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') out.push(part)
    else if (out.length > 0 && out[out.length - 1] !== '..') out.pop()
    else if (!rooted) out.push(part)
  }
  return `${rooted ? '/' : ''}${out.join('/')}` || '.'
}

/** The path below a root: cleaned as text, without leading slash, never above the root. '' is the root itself. */
export function relativeToRoot(path: string): string {
  return cleanPath(`/${path}`).slice(1)
}

/** What {@link resolveWith} needs to know of one path relative to the root: the text of a link, or what is there. */
export type LinkReader = (path: string) => { readonly link: string } | 'absent' | 'directory' | 'other'

/**
 * Resolves all links of a path, over any tree.
 *
 * @param path relative to the root or absolute within it; `..` is taken after the links before it were followed
 * @param followLast whether a link at the end is followed, too
 * @param dangling whether links to what is not there are followed, as for something that will be made there
 * @returns the path relative to the root without links; the end of it may not exist
 * @throws an error with code ELOOP or ENOTDIR, or ENOENT for a dangling link that is not to be followed
 */
export function resolveWith(read: LinkReader, path: string, followLast = true, dangling = true): string {
  const pending = path.split('/').reverse()
  // What is pending from here on is the text of a link.
  let linked = Number.POSITIVE_INFINITY
  const done: string[] = []
  let links = 0
  // Nothing exists below what is absent, so there is nothing to look at until a `..` comes back up.
  let absentBelow = Number.POSITIVE_INFINITY
  while (pending.length > 0) {
    const part = pending.pop()!
    if (pending.length < linked) linked = Number.POSITIVE_INFINITY
    if (part === '' || part === '.') continue
    if (part === '..') {
      done.pop()
      if (done.length < absentBelow) absentBelow = Number.POSITIVE_INFINITY
      continue
    }
    done.push(part)
    if (done.length > absentBelow) continue
    const last = !pending.some((p) => p !== '' && p !== '.')
    if (last && !followLast) break
    const found = read(done.join('/'))
    if (found === 'absent') {
      if (!dangling && linked !== Number.POSITIVE_INFINITY)
        throw pathError('ENOENT', 'no such file or directory', `/${path}`)
      absentBelow = done.length
    } else if (found === 'other') {
      if (!last) throw pathError('ENOTDIR', 'not a directory', `/${done.join('/')}`)
    } else if (found !== 'directory') {
      if (++links > MAX_LINKS) throw pathError('ELOOP', 'too many levels of symbolic links', `/${path}`)
      done.pop()
      if (found.link.startsWith('/')) done.length = 0
      linked = Math.min(linked, pending.length)
      pending.push(...found.link.split('/').reverse())
    }
  }
  return done.join('/')
}

/**
 * The host path of `path` inside `root`, free of links below the root.
 *
 * @param root absolute host path of a directory, itself trusted
 * @throws as {@link resolveWith}, and what lstat throws (ENAMETOOLONG …)
 */
export function resolveInRoot(root: string, path: string, followLast = true, dangling = true): string {
  const base = root === '/' ? '' : root
  const resolved = resolveWith((p) => readLink(`${base}/${p}`), path, followLast, dangling)
  return resolved === '' ? root : `${base}/${resolved}`
}

function readLink(path: string): ReturnType<LinkReader> {
  const raw = fsPath(path)
  const stat = lstatSync(raw, { throwIfNoEntry: false })
  if (stat === undefined) return 'absent'
  if (stat.isDirectory()) return 'directory'
  return stat.isSymbolicLink() ? { link: decodeName(readlinkSync(raw, 'buffer')) } : 'other'
}

function pathError(code: string, message: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${message}, '${path}'`), { code, path })
}
