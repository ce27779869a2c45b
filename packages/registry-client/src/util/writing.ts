/** Failures of files that are written, in words. */
import { getSystemErrorMessage } from 'node:util'
import { registryErrors } from '../model/errors.ts'

/** What the system says of a call, told of what is to be written by it. @throws RegistryError ARCHIVE_FAILED */
export async function writing<T>(what: string, call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException | undefined)?.errno !== 'number') throw error
    throw writeFailure(what, error)
  }
}

export function writeFailure(what: string, error: unknown): Error {
  const { errno, message } = error as NodeJS.ErrnoException
  const why = errno === undefined ? message : getSystemErrorMessage(errno)
  return registryErrors.archiveFailed([what, why], { cause: error })
}
