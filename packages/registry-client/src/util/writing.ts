/** Failures of files that are written, in words. */
import { getSystemErrorMessage } from 'node:util'
import { registryErrors } from '../model/errors.ts'
import * as directories from './make-directory.ts'

/** What the system says of a call, told of what is to be written by it. @throws RegistryError ARCHIVE_FAILED */
export async function writing<T>(what: string, call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    // The reason of an abort may be anything; that of a time-out has a number as its code.
    const { errno, code } = (error ?? {}) as { readonly errno?: unknown; readonly code?: unknown }
    if (typeof errno !== 'number' && !String(code).startsWith('ERR_INVALID_ARG')) throw error
    throw writeFailure(what, error)
  }
}

export function writeFailure(what: string, error: unknown): Error {
  const { code, errno, message } = error as NodeJS.ErrnoException
  // What is to be a directory is a file.
  const why = code === 'EEXIST' ? 'not a directory' : errno === undefined ? message : getSystemErrorMessage(errno)
  return registryErrors.archiveFailed([what, why], { cause: error })
}

/** Makes a directory with all that is missing above it. @throws RegistryError ARCHIVE_FAILED */
export async function makeDirectory(path: string, mode?: number): Promise<void> {
  await writing(String(path), directories.makeDirectory(path, mode))
}
