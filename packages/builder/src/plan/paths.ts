/** Paths of WORKDIR, COPY and mounts as the reference's util/system reads them, for Linux and for Windows. */
import { cleanPath } from '../util/inroot.ts'
import { planErrors } from './errors.ts'

/** Windows paths with forward slashes; others as they are. */
export function toSlash(path: string, os: string): string {
  return os === 'windows' ? path.replaceAll('\\', '/') : path
}

/** What the reference says it was doing when it refuses a path. */
const removing = 'removing drive letter'
const changingDirectory = `normalizing workdir: normalizing working directory: ${removing}`

/**
 * A path without the drive letter that Windows paths may have, cleaned and with forward slashes there; paths of other
 * systems as they are.
 *
 * @throws PATH_INVALID for another drive than C:, a drive alone, and UNC paths
 */
export function withoutDrive(path: string, os: string, { keepSlash = false, doing = removing } = {}): string {
  if (os !== 'windows') return path
  const slashed = toSlash(path, os)
  const refuse = (problem: string) => planErrors.badPath([`${doing}: ${problem}`])
  if (path.length === 2 && path[1] === ':') throw refuse(`No relative path specified in ${JSON.stringify(path)}`)
  if (slashed.startsWith('//')) throw refuse('UNC paths are not supported')
  const colon = slashed.indexOf(':')
  if (colon >= 0 && slashed.slice(0, colon).toLowerCase() !== 'c')
    throw refuse('The specified path is not on the system drive (C:)')
  const rest = slashed.slice(colon + 1)
  const clean = cleanPath(rest)
  return keepSlash && rest.endsWith('/') && clean !== '/' ? `${clean}/` : clean
}

/**
 * `path` seen from the working directory `base`. What is absolute stays as it is written, also `//a` and `/a/../b`.
 *
 * @throws as {@link withoutDrive}
 */
export function workdirPath(base: string, path: string, os: string): string {
  const parent = withoutDrive(base || '/', os, { doing: changingDirectory })
  const wanted = withoutDrive(path === '' ? parent : path, os, { doing: changingDirectory })
  return wanted.startsWith('/') ? wanted : cleanPath(`/${parent}/${wanted}`)
}

/**
 * What a COPY takes, as {@link withoutDrive}; `--parents` keeps the `/./` from which on directories are made.
 *
 * @throws as {@link withoutDrive}
 */
export function sourcePath(path: string, os: string, parents: boolean): string {
  if (os !== 'windows') return path
  const pivot = parents ? path.indexOf('/./') : -1
  const parts = pivot < 0 ? [path] : [path.slice(0, pivot), path.slice(pivot + 3)]
  return parts.map((part) => withoutDrive(part || '/', os, { doing: `${removing}: ${removing}` })).join('/./')
}

/** `path` seen from `base`, cleaned; a trailing slash (or `/.`) is kept as a slash when `keepSlash` is set. */
export function resolvePath(base: string, path: string, keepSlash: boolean): string {
  const clean = cleanPath(path.startsWith('/') ? path : `/${base}/${path}`)
  const wantsSlash = keepSlash && (path.endsWith('/') || path.endsWith('/.') || path === '.' || path === '')
  return wantsSlash && clean !== '/' ? `${clean}/` : clean
}
