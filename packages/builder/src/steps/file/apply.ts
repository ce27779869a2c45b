/** Does to a root filesystem on disk what file operations say. */
import { type DraftOptions, draftFileOps, type OpenedOp } from './draft-ops.ts'
import { inWords } from './in-words.ts'
import { readAccountsIn } from './root-accounts.ts'
import { openRootDirectory } from './root-directory.ts'
import { type WriteOptions, writeDraft } from './write-draft.ts'

export interface ApplyOptions extends WriteOptions, Pick<DraftOptions, 'readArchive' | 'spool'> {
  /** Root filesystem in which names of owners are looked up; default: the one that is written. */
  readonly accounts?: string | undefined
}

/**
 * Applies operations, in order, to a root filesystem.
 *
 * @param root absolute path of the root filesystem, free of links; nobody else writes there
 * @throws as {@link draftFileOps}; what was written by then stays: the caller drops it.
 */
export async function applyFileOps(root: string, ops: readonly OpenedOp[], options: ApplyOptions): Promise<void> {
  const accounts = readAccountsIn(options.accounts ?? root)
  const draft = await draftFileOps(openRootDirectory(root), ops, { ...options, accounts })
  try {
    await writeDraft(draft, root, options)
  } catch (error) {
    throw inWords(error, root)
  }
}
