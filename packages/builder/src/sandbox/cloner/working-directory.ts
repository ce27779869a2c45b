/** Where a process begins. */
import fs from 'node:fs'
import { hasCode } from '../../util/has-code.ts'
import type { ProcessSpec } from '../executor.ts'
import { chownOf } from '../native/files.ts'
import { check, raw } from '../native/libc.ts'
import { resolveBelow } from '../native/resolve.ts'

/**
 * Enters the working directory; what is missing of it is made for the user. The root is the container's by now, but a
 * directory that is mounted may be shared with others, who change it meanwhile: it is found once, and entered as found.
 *
 * As root still: a directory that only root may enter can be the working directory, as in runc. Links of /proc are text
 * here, so that none leads to a descriptor of this process.
 */
export function enterDirectory({ cwd, user: { uid, gid } }: ProcessSpec): void {
  try {
    const { fd } = resolveBelow('/', cwd, {
      create: 'directory',
      onCreate: (_path, _parent, _kind, made) => chownOf(made, uid, gid),
    })
    check(raw.fchdir(fd), 'fchdir', cwd)
    fs.closeSync(fd)
  } catch (error) {
    const reason = hasCode(error, 'EACCES', 'EPERM')
      ? 'permission denied'
      : hasCode(error, 'ENOTDIR')
        ? 'not a directory'
        : error instanceof Error
          ? error.message
          : String(error)
    throw new Error(`chdir to cwd (${JSON.stringify(cwd)}) failed: ${reason}`)
  }
}
