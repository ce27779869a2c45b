/** Paths of WORKDIR, COPY and mounts as the reference's util/system reads them, for Linux and for Windows. */
import { cleanPath } from '../util/inroot.ts'
import { planErrors } from './errors.ts'

/** Windows paths with forward slashes; others as they are. */
export function toSlash(path: string, os: string): string {
  return os === 'windows' ? path.replaceAll('\\', '/') : path
}

/**
 * A path without the drive letter that Windows paths may have, cleaned and with forward slashes there; paths of other
 * systems as they are.
 *
 * @throws PATH_INVALID for another drive than C:, a drive alone, and UNC paths
 */
export function withoutDrive(path: string, os: string, keepSlash = false): string {
  if (os !== 'windows') return path
  const slashed = toSlash(path, os)
  if (path.length === 2 && path[1] === ':')
    throw planErrors.badPath([`No relative path specified in ${JSON.stringify(path)}`])
  if (slashed.startsWith('//')) throw planErrors.badPath(['UNC paths are not supported'])
  const colon = slashed.indexOf(':')
  if (colon >= 0 && slashed.slice(0, colon).toLowerCase() !== 'c')
    throw planErrors.badPath(['The specified path is not on the system drive (C:)'])
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
  const parent = withoutDrive(base || '/', os)
  const wanted = withoutDrive(path === '' ? parent : path, os)
  return wanted.startsWith('/') ? wanted : cleanPath(`/${parent}/${wanted}`)
}

/** `path` seen from `base`, cleaned; a trailing slash (or `/.`) is kept as a slash when `keepSlash` is set. */
export function resolvePath(base: string, path: string, keepSlash: boolean): string {
  const clean = cleanPath(path.startsWith('/') ? path : `/${base}/${path}`)
  const wantsSlash = keepSlash && (path.endsWith('/') || path.endsWith('/.') || path === '.' || path === '')
  return wantsSlash && clean !== '/' ? `${clean}/` : clean
}
