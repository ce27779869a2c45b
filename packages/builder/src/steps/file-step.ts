/** COPY, ADD, WORKDIR: chosen and fingerprinted here or in the worker, written by the worker. */
import type { Tree } from '../context/tree.ts'
import type { CopyOp, FileOp, SelectedEntry } from '../graph/file-op.ts'
import { hashKey } from '../graph/key.ts'
import type { FileStep } from '../graph/step.ts'
import type { Store } from '../store/store.ts'
import { writeEntries } from './file/entries-file.ts'
import { fingerprint, type StatCache } from './file/fingerprint.ts'
import { select } from './file/select.ts'
import type { LayerService } from './layers.ts'
import type { StepCache } from './step-cache.ts'
import { EMPTY_ROOTFS, onTop, type RootfsResult, type StepHandler, type Visit } from './types.ts'
import type { OpSource, WorkerClient } from './worker-api.ts'

export interface FileServices {
  readonly store: Store
  readonly cache: StepCache
  readonly layers: LayerService
  readonly worker: WorkerClient
  /** Root filesystems have one id only: see `hasOneId`. Part of the key. */
  readonly oneId: boolean
  readonly statCache: StatCache
  readonly now: () => number
  /** A random text: a step that must not come from the cache is done anew, with the times that its sources have now. */
  readonly nonce: () => string
}

type Part = FileStep['ops'][number]

/** What a COPY takes from a file tree: entries and the digest of their contents. */
interface Taken {
  readonly entries: readonly SelectedEntry[]
  readonly digest: string
}

export function fileHandler(services: FileServices): StepHandler<FileStep> {
  /** What was fingerprinted is what gets copied, even if the context changes in between. */
  const taken = new WeakMap<Part, Promise<Taken>>()
  const take = (part: Part, op: CopyOp, tree: Tree, signal: AbortSignal): Promise<Taken> => {
    let found = taken.get(part)
    if (found === undefined) {
      found = takeFiles(op, tree, services, signal)
      found.catch(() => undefined)
      taken.set(part, found)
    }
    return found
  }
  return {
    kind: 'file',

    // A missing source is told at once, not after the RUNs before it; and the context is read while they run.
    async early(step, open, signal) {
      for (const part of step.ops) {
        if (part.op.op !== 'copy' || part.from?.kind !== 'context') continue
        const source = await open(part.from)
        if (source.kind === 'tree') await take(part, part.op, source.tree, signal)
      }
    },

    async key(visit) {
      const { step } = visit
      const parts: unknown[] = []
      for (const part of step.ops) parts.push([keyedOp(part.op), await sourceDigest(part, visit, services, take)])
      return hashKey(
        'file',
        step.link && !looksUpNames(step) ? 'link' : below(visit).identity,
        parts,
        ...(services.oneId ? ['one id'] : []),
      )
    },

    async run(visit, key) {
      const { store, layers, worker, now, nonce } = services
      const { step, signal } = visit
      const started = now()
      await using temporary = await store.blobs.temporary('copy')
      const parent = below(visit)
      const [stack, accounts, ops] = await Promise.all([
        step.link ? [] : layers.snapshots(parent.stack),
        step.link && looksUpNames(step) ? layers.snapshots(parent.stack) : undefined,
        Promise.all(step.ops.map((part, i) => workerOp(part, `${temporary.path}/${i}`, visit, services, take))),
      ])
      const id = `file-${step.noCache ? hashKey('again', key, nonce()) : key}`
      await worker.call(
        'files.apply',
        { stack, id, ops, accounts },
        { signal, onEvent: (e) => e.type === 'progress' && visit.progress(e.item, e.current, e.total) },
      )
      layers.added(id)
      const layer = { snapshot: id, created: now(), started, known: undefined, image: undefined, alone: step.link }
      return onTop(parent, layer)
    },
  }
}

/** Whether an owner is named, so that the files of the image below decide who it is. */
function looksUpNames(step: FileStep): boolean {
  const names = step.ops.flatMap(({ op }) => (op.op === 'mkdir' ? op.owner : op.chown) ?? [])
  return names.some(({ user, group }) => !/^[0-9]*$/.test(user + (group ?? '')))
}

function below(visit: Visit<FileStep>): RootfsResult {
  return visit.step.parent === undefined ? EMPTY_ROOTFS : (visit.input(visit.step.parent) as RootfsResult)
}

/** What of an operation decides its result, beside the content of its source. */
function keyedOp(op: FileOp): unknown {
  if (op.op === 'copy') return { ...op, selection: op.unpack === 'never' ? undefined : op.selection.patterns }
  return op
}

type Take = (part: Part, op: CopyOp, tree: Tree, signal: AbortSignal) => Promise<Taken>

async function takeFiles(
  op: CopyOp,
  tree: Tree,
  { statCache, now }: FileServices,
  signal: AbortSignal,
): Promise<Taken> {
  const entries = await select(tree, op.selection, signal)
  return { entries, digest: await fingerprint(tree, entries, { owners: op.keepOwner, statCache, now: now(), signal }) }
}

async function sourceDigest(part: Part, visit: Visit<FileStep>, services: FileServices, take: Take): Promise<string> {
  const { op, from } = part
  const { cache, layers, worker } = services
  const { signal } = visit
  if (op.op === 'write') {
    const input = from && visit.input(from)
    return input?.kind === 'file' ? `${input.digest} ${input.mtime}` : ''
  }
  if (op.op !== 'copy') return ''
  const { selection, keepOwner } = op
  const input = from === undefined ? EMPTY_ROOTFS : visit.input(from)
  if (input.kind === 'tree') return (await take(part, op, input.tree, signal)).digest
  if (input.kind === 'file') return input.digest
  const key = hashKey('fingerprint', input.identity, selection, keepOwner)
  return await cache.fingerprint(key, async () => {
    const stack = await layers.snapshots(input.stack)
    return await worker.call('files.fingerprint', { stack, selection, keepOwner }, { signal })
  })
}

async function workerOp(
  part: Part,
  entriesFile: string,
  visit: Visit<FileStep>,
  { layers }: FileServices,
  take: Take,
): Promise<{ op: FileOp; source: OpSource | undefined }> {
  const { op, from } = part
  const input = from === undefined ? EMPTY_ROOTFS : visit.input(from)
  if (op.op === 'write' && input.kind === 'file') {
    const mtime = input.mtime ?? op.mtime
    return { op: { ...op, content: { path: input.path }, mtime }, source: undefined }
  }
  if (op.op !== 'copy' || input.kind === 'file') return { op, source: undefined }
  if (input.kind === 'rootfs') return { op, source: { type: 'stack', stack: await layers.snapshots(input.stack) } }
  await writeEntries(entriesFile, (await take(part, op, input.tree, visit.signal)).entries)
  return { op, source: { type: 'entries', root: input.tree.root, entries: entriesFile } }
}
