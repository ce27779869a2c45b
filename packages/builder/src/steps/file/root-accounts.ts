/** The account files of a root filesystem on disk: for the worker, which alone opens paths in there. */
import { BuildError } from '../../errors.ts'
import { readAccountFile } from '../../sandbox/account-file.ts'
import { MAX_ACCOUNTS_SIZE, type ReadAccounts, unreadableAccounts } from './owner.ts'

export function readAccountsIn(root: string): ReadAccounts {
  return (file) => {
    try {
      return readAccountFile(root, file, MAX_ACCOUNTS_SIZE, (why) => unreadableAccounts(file, `it ${why}`))
    } catch (error) {
      throw error instanceof BuildError ? error : unreadableAccounts(file, (error as Error).message, error)
    }
  }
}
