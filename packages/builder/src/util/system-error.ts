/** What the system says of a failed call, in words. Leaf module. */
import { getSystemErrorMessage } from 'node:util'

/** An error of a system call, as Node makes it. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException & { readonly dest?: string } {
  return error instanceof Error && 'syscall' in error && typeof error.syscall === 'string'
}

/** The reason alone, such as `no such file or directory`: without Node's code, the call, and paths that are nobody's words. */
export function systemReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Node's recursive mkdir says so of a file that stands in the way.
  if (isSystemError(error) && error.code === 'EEXIST' && error.syscall === 'mkdir') return 'not a directory'
  if (!isSystemError(error) || typeof error.errno !== 'number') return error.message
  return getSystemErrorMessage(error.errno) ?? error.message
}
