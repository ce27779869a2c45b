/** How the worker itself sees what processes of RUNs have written. */
import fs from 'node:fs'
import { AT_FDCWD, O_DIRECTORY, O_PATH, openAt } from '../native/files.ts'
import { bindOn } from '../native/mount.ts'

/**
 * From now on no path below these directories follows a link, for this process and its mount namespace. A process can hand
 * a directory on to one that lives longer, by a socket, so a tree may still change after its RUN has ended: what is swapped
 * with a link while it is walked leads nowhere then. Processes of RUNs see their files through mounts that follow links.
 *
 * Without effect before Linux 5.12. To be called in a mount namespace of one's own, before anything is mounted below.
 */
export function refuseLinks(directories: readonly string[]): void {
  for (const directory of directories) {
    const fd = openAt(AT_FDCWD, directory, O_PATH | O_DIRECTORY)
    try {
      bindOn(fd, fd, { recursive: true, nosymfollow: true })
    } finally {
      fs.closeSync(fd)
    }
  }
}
