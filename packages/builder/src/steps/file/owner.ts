/**
 * Who files are given to: users and groups of --chown and WORKDIR, looked up in the image's own account files.
 *
 * As in the reference, a bare number is user and group at once, and a name that the image does not know is root.
 */
import type { BuildError } from '../../errors.ts'
import type { ChownSpec } from '../../graph/file-op.ts'
import { type Directory, type Leaf, lookUp, resolveIn, type TreeNode } from '../../layer/file-tree.ts'
import { hasCode } from '../../util/has-code.ts'
import { fileErrors } from './errors.ts'

export interface Ids {
  readonly uid: number
  readonly gid: number
}

/** The greatest id: the one above it means "no change" to chown(2). */
const MAX_ID = 4294967294
/** Larger files than this are not account files. */
export const MAX_ACCOUNTS_SIZE = 1024 * 1024

/**
 * The ids of an owner.
 *
 * @param accounts of the root filesystem that counts
 * @throws BuildError CHOWN_ID_RANGE, CHOWN_ACCOUNTS_UNREADABLE
 */
export function resolveOwner(accounts: ReadAccounts, owner: ChownSpec): Ids {
  const user = resolveName(accounts, 'etc/passwd', owner.user)
  const group = owner.group === undefined ? undefined : resolveName(accounts, 'etc/group', owner.group)
  return { uid: user.id, gid: group?.id ?? user.group }
}

function resolveName(accounts: ReadAccounts, file: AccountFile, name: string): { id: number; group: number } {
  if (name === '') return { id: 0, group: 0 }
  if (/^[0-9]+$/.test(name)) {
    const id = Number(name)
    if (id > MAX_ID) throw fileErrors.idRange([name])
    return { id, group: id }
  }
  for (const line of accounts(file).split('\n')) {
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

export type AccountFile = 'etc/passwd' | 'etc/group'

/** The text of an account file of the image; '' if there is none. @throws BuildError CHOWN_ACCOUNTS_UNREADABLE */
export type ReadAccounts = (file: AccountFile) => string

/** The account files of layers, found: those that have their content at hand or are read by `extract`. */
export async function accountsOf(root: Directory, read: (leaf: Leaf) => Promise<Buffer>): Promise<ReadAccounts> {
  const texts = new Map<AccountFile, string | BuildError>()
  for (const file of ['etc/passwd', 'etc/group'] as const) texts.set(file, await accountText(root, file, read))
  return (file) => {
    const text = texts.get(file)!
    if (typeof text !== 'string') throw text
    return text
  }
}

async function accountText(
  root: Directory,
  file: AccountFile,
  read: (leaf: Leaf) => Promise<Buffer>,
): Promise<string | BuildError> {
  let node: TreeNode | undefined
  try {
    node = lookUp(root, resolveIn(root, file))
  } catch (error) {
    if (hasCode(error, 'ENOTDIR')) return ''
    return unreadableAccounts(file, (error as Error).message, error)
  }
  if (node === undefined) return ''
  if (node.type !== 'file') return unreadableAccounts(file, 'it is not a regular file')
  if (node.size > MAX_ACCOUNTS_SIZE) return unreadableAccounts(file, `it is larger than ${MAX_ACCOUNTS_SIZE} bytes`)
  return (await read(node)).toString()
}

/** The error for an account file that cannot be used. */
export function unreadableAccounts(file: AccountFile, why: string, cause?: unknown): BuildError {
  return fileErrors.accountsUnreadable([`/${file}`, why], { cause })
}
