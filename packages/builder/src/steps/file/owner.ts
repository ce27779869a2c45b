/**
 * Who files are given to: users and groups of --chown and WORKDIR, looked up in the image's own account files.
 *
 * As in the reference, a bare number is user and group at once, and a name that the image does not know is root.
 */
import { BuildError } from '../../errors.ts'
import type { ChownSpec } from '../../graph/file-op.ts'
import { readAccountFile } from '../../sandbox/account-file.ts'
import { fileErrors } from './errors.ts'

export interface Ids {
  readonly uid: number
  readonly gid: number
}

/** The greatest id: the one above it means "no change" to chown(2). */
const MAX_ID = 4294967294
const MAX_ACCOUNTS_SIZE = 1024 * 1024

/**
 * The ids of an owner.
 *
 * @param root root filesystem whose /etc/passwd and /etc/group count
 * @throws BuildError CHOWN_ID_RANGE, CHOWN_ACCOUNTS_UNREADABLE
 */
export function resolveOwner(root: string, owner: ChownSpec): Ids {
  const user = resolveName(root, 'etc/passwd', owner.user)
  const group = owner.group === undefined ? undefined : resolveName(root, 'etc/group', owner.group)
  return { uid: user.id, gid: group?.id ?? user.group }
}

function resolveName(root: string, file: string, name: string): { id: number; group: number } {
  if (name === '') return { id: 0, group: 0 }
  if (/^[0-9]+$/.test(name)) {
    const id = Number(name)
    if (id > MAX_ID) throw fileErrors.idRange([name])
    return { id, group: id }
  }
  for (const line of readAccounts(root, file).split('\n')) {
    const fields = line.trim().split(':')
    if (fields[0] !== name) continue
    // In /etc/group the fourth field holds members: of no interest, a group has no group.
    return { id: parseId(fields[2]), group: parseId(fields[3]) }
  }
  // What looks like a number but is none must not become root.
  if (/^[-+0-9]/.test(name)) throw fileErrors.idRange([name])
  return { id: 0, group: 0 }
}

function parseId(text: string | undefined): number {
  const id = Number.parseInt(text ?? '', 10)
  return id >= 0 && id <= MAX_ID ? id : 0
}

/** An account file of the image; '' if there is none. */
function readAccounts(root: string, file: string): string {
  const refuse = (why: string, cause?: unknown) => fileErrors.accountsUnreadable([`/${file}`, why], { cause })
  try {
    return readAccountFile(root, file, MAX_ACCOUNTS_SIZE, (why) => refuse(`it ${why}`))
  } catch (error) {
    throw error instanceof BuildError ? error : refuse((error as Error).message, error)
  }
}
