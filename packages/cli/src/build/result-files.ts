/** `--iidfile` and `--metadata-file`: written beside their place and renamed, so that no half file is ever seen. */
import { access, constants, lstat, open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { getSystemErrorMessage } from 'node:util'
import type { BuildResult } from '@tsbuild/builder'
import { CommandError } from '../command-error.ts'
import type { Environment } from '../io.ts'
import { encodeWarning } from '../progress/rawjson.ts'
import { UsageError } from '../usage-error.ts'

/** The id of the image: the digest of its config, or of the index when there are several platforms. */
export function imageId(result: BuildResult): string {
  const [only, second] = result.platforms
  return only && !second ? only.config.digest : result.digest
}

/**
 * Finds out before the build whether the file of a flag can be written after it.
 *
 * @throws UsageError in the user's own words
 */
export async function checkResultFile(flag: string, path: string | undefined): Promise<void> {
  if (path === undefined) return
  const problem = (reason: string) => new UsageError(`cannot write --${flag} ${path}: ${reason}`)
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) throw problem('it is a directory')
  // What is no regular file is written to in its place, all others beside it.
  const [place, mode] =
    found && !found.isFile() ? [path, constants.W_OK] : [dirname(path), constants.W_OK | constants.X_OK]
  try {
    await access(place, mode)
    if (place !== path && !(await stat(place)).isDirectory()) throw problem(`${place} is not a directory`)
  } catch (error) {
    if (error instanceof UsageError) throw error
    const { errno, message } = error as NodeJS.ErrnoException
    throw problem(`${place}: ${errno === undefined ? message : getSystemErrorMessage(errno)}`)
  }
}

/** What `--metadata-file` gets: warnings only if $BUILDX_METADATA_WARNINGS asks for them, as in buildx. */
export function metadataText({ metadata, warnings }: BuildResult, env: Environment): string {
  const wanted = /^(1|t|true)$/i.test(env.BUILDX_METADATA_WARNINGS ?? '') && warnings.length > 0
  const noted = wanted ? { 'buildx.build.warnings': warnings.map((warning) => encodeWarning(warning)) } : {}
  return `${JSON.stringify({ ...noted, ...metadata }, null, 2)}\n`
}

/** Replaces a file by one with the given text and the old mode. What is no regular file (a pipe, /dev/stdout) is written to directly. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  const target = found?.isSymbolicLink() ? await realpath(path).catch(() => path) : path
  const existing = await lstat(target).catch(() => undefined)
  if (existing && !existing.isFile()) {
    await writeFile(target, text)
    return
  }
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`)
  try {
    const file = await open(temporary, 'wx', existing ? existing.mode & 0o777 : 0o644)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    const { errno, message } = error as NodeJS.ErrnoException
    const reason = errno === undefined ? message : getSystemErrorMessage(errno)
    throw new CommandError(`cannot write ${path}: ${reason}`, undefined, { cause: error })
  }
}
