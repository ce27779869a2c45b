/** Errors of the operating system in the words of COPY. */
import { BuildError } from '../../errors.ts'
import { fileErrors } from './errors.ts'

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on device',
  EDQUOT: 'the disk quota is exceeded',
  ENAMETOOLONG: 'file name too long',
  ENOTDIR: 'not a directory',
  ELOOP: 'too many levels of symbolic links',
  EROFS: 'read-only file system',
  EPERM: 'operation not permitted',
  EACCES: 'permission denied',
  EMLINK: 'too many links',
  EINVAL: 'invalid argument',
}

/** Errors of the operating system as BuildErrors; paths are those of the root filesystem. */
export function inWords(error: unknown, root: string): unknown {
  if (error instanceof BuildError) return error
  const { code, syscall, path, dest, message } = error as NodeJS.ErrnoException & { dest?: string }
  if (code === undefined) return error
  const where = dest ?? path
  const place =
    typeof where === 'string' && where.startsWith(root) ? where.slice(root === '/' ? 0 : root.length) || '/' : where
  const what = [syscall, place].filter((part) => part !== undefined).join(' ')
  const reason = REASONS[code] ?? message
  return fileErrors.io([what === '' ? reason : `${what}: ${reason}`], { cause: error })
}
