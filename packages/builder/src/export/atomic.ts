/** Outputs appear whole or not at all: they are written beside their place and renamed into it. */
import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BuildError, throwIfAborted } from '../errors.ts'
import { makeDirectory } from '../util/make-directory.ts'
import { systemReason } from '../util/system-error.ts'
import { exportErrors } from './attrs.ts'

/** Where a stream of bytes goes: a file, or the caller's stdout for `-`. */
export async function writeOutput(
  dest: string,
  chunks: AsyncIterable<Uint8Array>,
  stdout: NodeJS.WritableStream | undefined,
  signal: AbortSignal,
): Promise<void> {
  try {
    if (dest === '-') {
      if (!stdout) throw exportErrors.outputInvalid(['dest=- needs a stdout to write to'])
      await pipeline(Readable.from(chunks), stdout, { end: false, signal })
      return
    }
    const existing = await stat(dest).catch(() => undefined)
    if (existing?.isDirectory()) throw exportErrors.outputInvalid([`destination file ${dest} is a directory`])
    // Devices and pipes are written in place.
    if (existing && !existing.isFile()) await pipeline(Readable.from(chunks), createWriteStream(dest), { signal })
    else
      await replaceFile(dest, (path) =>
        pipeline(Readable.from(chunks), createWriteStream(path, { flags: 'wx' }), { signal }),
      )
  } catch (error) {
    throw outputError(dest, error, signal)
  }
}

/** Makes a file by `write(temporary path)`, then flushes it and puts it in the place of `dest`. */
export async function replaceFile(dest: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const target = resolve(dest)
  await makeDirectory(dirname(target))
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
  return exportErrors.outputFailed([dest, systemReason(error)], { cause: error })
}
