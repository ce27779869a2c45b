/** Operations of the worker on files: COPY and its like, fingerprints, exports of root filesystems. */
import { openLocalContext, openRootTree } from '../context/local.ts'
import type { Tree } from '../context/tree.ts'
import type { Snapshotter } from '../snapshot/snapshotter.ts'
import { readArchive } from './archive.ts'
import { applyFileOps } from './file/apply.ts'
import type { OpenedOp } from './file/draft-ops.ts'
import { readEntries } from './file/entries-file.ts'
import { fingerprint } from './file/fingerprint.ts'
import { select } from './file/select.ts'
import { Spool } from './file/spool.ts'
import type { OpSource, WorkerEvent, WorkerOperations } from './worker-api.ts'

export interface OperationContext {
  readonly snapshotter: Snapshotter
  readonly signal: AbortSignal
  emit(event: WorkerEvent): Promise<void>
}

type Params<O extends keyof WorkerOperations> = WorkerOperations[O]['params']

/** Writes one layer of file operations and commits it. */
export async function applyFiles(
  { stack, id, ops, accounts, spool: place }: Params<'files.apply'>,
  context: OperationContext,
): Promise<void> {
  const { snapshotter, signal } = context
  await using resources = new AsyncDisposableStack()
  const opened: OpenedOp[] = []
  for (const { op, source } of ops) {
    if (op.op !== 'copy') {
      opened.push(op)
      continue
    }
    const tree = await openSource(source, snapshotter, resources, signal)
    const entries = source?.type === 'entries' ? readEntries(source.entries) : await select(tree, op.selection, signal)
    opened.push({ op, tree, entries })
  }
  const people = accounts && resources.use(await snapshotter.view(accounts, signal))
  const from = Date.now()
  await using active = await snapshotter.prepare(stack, signal)
  using spool = new Spool(place)
  await applyFileOps(active.root, opened, {
    signal,
    readArchive,
    accounts: people?.root,
    spool,
    onProgress: ({ entries }) =>
      void context.emit({ type: 'progress', item: 'copying files', current: entries, total: 0 }),
  })
  // All times are given already.
  await active.commit(id, { from, time: undefined })
}

async function openSource(
  source: OpSource | undefined,
  snapshotter: Snapshotter,
  resources: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Tree> {
  if (source?.type === 'entries') return openLocalContext(source.root)
  const stack = source?.stack ?? []
  await snapshotter.verify(stack, 'files')
  const view = resources.use(await snapshotter.view(stack, signal))
  return openRootTree(view.root)
}

/** Content digest of what a selection chooses in a root filesystem. */
export async function fingerprintFiles(
  { stack, selection, keepOwner }: Params<'files.fingerprint'>,
  { snapshotter, signal }: OperationContext,
): Promise<string> {
  await snapshotter.verify(stack, 'files')
  await using view = await snapshotter.view(stack, signal)
  const tree = openRootTree(view.root)
  return await fingerprint(tree, await select(tree, selection, signal), { owners: keepOwner, signal })
}
