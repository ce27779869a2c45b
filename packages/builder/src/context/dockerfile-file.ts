/** Finds and reads the Dockerfile and the ignore file that belong to a build. */
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { hasCode } from '../util/has-code.ts'
import { relativeToRoot, resolveInRoot } from '../util/inroot.ts'
import { fsPath } from '../util/raw-path.ts'
import { systemReason } from '../util/system-error.ts'
import { contextErrors } from './errors.ts'

/** A text file that was read. */
export interface TextFile {
  /** As messages show it. */
  readonly name: string
  readonly text: string
  /** Host path; undefined for what came from standard input or a URL. */
  readonly path: string | undefined
}

const MAX_SIZE = 64 * 1024 * 1024

/**
 * Reads a Dockerfile of this machine. Links are followed: the path is the caller's own word. If its name is `Dockerfile`
 * and there is only a `dockerfile`, that one is read.
 *
 * @param path host path
 * @throws BuildError DOCKERFILE_NOT_FOUND, DOCKERFILE_UNREADABLE
 */
export function readDockerfile(path: string): TextFile {
  const found = lowerCaseFallback(path)
  const text = readText(found, basename(found))
  if (text === undefined) throw contextErrors.dockerfileNotFound([basename(path)])
  return { name: basename(found), text, path: found }
}

/**
 * Reads a Dockerfile of a context that was fetched: the path counts from the context's root, and links that the context
 * brings along do not lead out of it.
 *
 * @param name path within the context
 */
export function readFetchedDockerfile(root: string, name: string): TextFile {
  const path = lowerCaseFallback(join(root, relativeToRoot(name)))
  const inside = path.slice(root.length + 1)
  const text = readText(resolveInRoot(root, inside), inside)
  if (text === undefined) throw contextErrors.dockerfileNotFound([name])
  return { name: basename(path), text, path }
}

/**
 * The ignore file of a context directory: `<Dockerfile>.dockerignore` beside the Dockerfile wins over the context's own
 * `.dockerignore`. Named contexts have only their own.
 *
 * @param dockerfile host path of the Dockerfile, undefined if it is no file or the context is not the main one
 */
export function readIgnoreFile(directory: string, dockerfile?: string | undefined): TextFile | undefined {
  if (dockerfile !== undefined) {
    const path = `${dockerfile}.dockerignore`
    const text = readText(path, basename(path))
    if (text !== undefined) return { name: basename(path), text, path }
  }
  const path = resolveInRoot(directory, '.dockerignore')
  const text = readText(path, '.dockerignore')
  return text === undefined ? undefined : { name: '.dockerignore', text, path }
}

/** What the lock file beside a Dockerfile is called. */
export function lockNameOf(dockerfile: string): string {
  const name = basename(dockerfile)
  return join(dirname(dockerfile), name.toLowerCase() === 'dockerfile' ? 'tsbuild.lock' : `${name}.lock`)
}

/**
 * Reads a lock file; undefined if there is none.
 *
 * @param root of a context that was fetched: what it brings along does not lead out of it
 */
export function readLockFile(path: string, root?: string | undefined): TextFile | undefined {
  const place = root === undefined ? path : resolveInRoot(root, path.slice(root.length + 1))
  const text = readText(place, basename(path), contextErrors.lockUnreadable)
  return text === undefined ? undefined : { name: basename(path), text, path }
}

function lowerCaseFallback(path: string): string {
  if (basename(path) !== 'Dockerfile') return path
  let names: string[]
  try {
    names = readdirSync(dirname(path))
  } catch {
    return path
  }
  return !names.includes('Dockerfile') && names.includes('dockerfile') ? join(dirname(path), 'dockerfile') : path
}

/** The text of a regular file, undefined if there is none. */
function readText(path: string, name: string, unreadable = contextErrors.dockerfileUnreadable): string | undefined {
  let fd: number
  try {
    // Not blocking, so that a fifo is noticed and not waited for.
    fd = openSync(fsPath(path), constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw unreadable([name, systemReason(error)], { cause: error })
  }
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw unreadable([name, 'it is not a regular file'])
    if (stat.size > MAX_SIZE) throw unreadable([name, 'it is larger than 64 MiB'])
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}
