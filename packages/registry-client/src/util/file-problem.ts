/** Why a file could not be read, in words. Leaf module. */
import { getSystemErrorMessage } from 'node:util'

/** What the system said, without Node's code. */
export function fileProblem(error: unknown): string {
  const { code, errno } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EISDIR') return 'it is a directory'
  return (errno === undefined ? undefined : getSystemErrorMessage(errno)) ?? 'it cannot be read'
}
