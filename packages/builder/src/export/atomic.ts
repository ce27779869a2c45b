/** Outputs appear whole or not at all: they are written beside their place and renamed into it. */
import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { finished, pipeline } from 'node:stream/promises'
import { isRegistryError } from '@tsbuild/registry-client'
import { BuildError, throwIfAborted } from '../errors.ts'
import { makeDirectorySync } from '../util/make-directory.ts'
import { systemReason } from '../util/system-error.ts'
import { exportErrors } from './attrs.ts'
import type { ExportContext } from './exporter.ts'

/**
 * Has an output written to what `dest` means: a path, to which it comes when it is whole, or a stream, which is not to be
 * ended: the caller's stdout for `-`, and devices and pipes, which are written in place.
 */
export async function writeOutput(
  dest: string,
  { stdout, signal }: Pick<ExportContext, 'stdout' | 'signal'>,
  write: (place: string | NodeJS.WritableStream) => Promise<void>,
): Promise<void> {
  try {
    if (dest === '-') {
      if (!stdout) throw exportErrors.outputInvalid(['dest=- needs a stdout to write to'])
      return await write(stdout)
    }
    const existing = await stat(dest).catch(() => undefined)
    if (existing?.isDirectory()) throw exportErrors.outputInvalid([`destination file ${dest} is a directory`])
    if (existing && !existing.isFile()) {
      const device = createWriteStream(dest)
      try {
        await write(device)
        await finished(device.end(), { signal })
      } finally {
        device.destroy()
      }
      return
    }
    makeDirectorySync(dirname(resolve(dest)))
    await write(resolve(dest))
  } catch (error) {
    throw outputError(dest, error, signal)
  }
}

/** {@link writeOutput} of bytes that are there. */
export function writeBytes(
  dest: string,
  chunks: AsyncIterable<Uint8Array>,
  context: Pick<ExportContext, 'stdout' | 'signal'>,
): Promise<void> {
  const { signal } = context
  return writeOutput(dest, context, (place) =>
    typeof place === 'string'
      ? replaceFile(place, (path) => pipeline(chunks, createWriteStream(path, { flags: 'wx' }), { signal }))
      : pipeline(chunks, place, { end: false, signal }),
  )
}

/** Makes a file by `write(temporary path)`, then flushes it and puts it in the place of `dest`. */
export async function replaceFile(dest: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const target = resolve(dest)
  makeDirectorySync(dirname(target))
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    await write(temporary)
    await using file = await open(temporary, 'r+')
    await file.sync()
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** The error of a failed write in words. */
export function outputError(dest: string, error: unknown, signal: AbortSignal): unknown {
  if (error instanceof BuildError) return error
  throwIfAborted(signal)
  const reason = isRegistryError(error, 'ARCHIVE_FAILED') ? error.cause : error
  return exportErrors.outputFailed([dest, systemReason(reason)], { cause: error })
}
