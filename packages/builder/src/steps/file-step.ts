/**
 * COPY, ADD, WORKDIR: a layer is packed from its sources here, or written into a root filesystem by the worker where a RUN
 * will see it or has made what it needs.
 */
import type { Tree } from '../context/tree.ts'
import type { CopyOp, FileOp, WriteOp } from '../graph/file-op.ts'
import { hashKey, snapshotName, stepKey } from '../graph/key.ts'
import type { FileStep } from '../graph/step.ts'
import type { Store } from '../store/store.ts'
import type { OpenedOp } from './file/draft-ops.ts'
import { writeEntries } from './file/entries-file.ts'
import { fingerprint, type StatCache } from './file/fingerprint.ts'
import { openLayerSource } from './file/layer-source.ts'
import { type SelectedEntry, select } from './file/select.ts'
import { FileLayerPacker } from './file-layer.ts'
import type { LayerTrees } from './layer-trees.ts'
import type { LayerService } from './layers.ts'
import { type StageFiles, StageFingerprints } from './stage-fingerprints.ts'
import type { StepCache } from './step-cache.ts'
import {
  type ComingLayer,
  EMPTY_ROOTFS,
  onTop,
  type RootfsResult,
  type StepHandler,
  type StepResult,
  type Visit,
} from './types.ts'
import type { OpSource, WorkerClient } from './worker-api.ts'

export interface FileServices {
  readonly store: Store
  readonly cache: StepCache
  readonly layers: LayerService
  readonly trees: LayerTrees
  /** Whether the files of a step's layer are wanted on disk: a RUN sees them, or an output is made of them. */
  readonly needsFiles: (step: FileStep) => boolean
  /** Whether another file step stands on a step or copies from it. */
  readonly isBelow: (step: FileStep) => boolean
  readonly worker: WorkerClient
  /** What root filesystems lack here that others have; undefined: nothing. Part of the key. */
  readonly lacking: string | undefined
  readonly statCache: StatCache
  readonly now: () => number
  /** Told of the files that a fingerprint stands for. */
  readonly onFingerprint?: ((fingerprint: string, files: () => Iterable<FingerprintedFile>) => void) | undefined
  /** A random text: a step that must not come from the cache is done anew, with the times that its sources have now. */
  readonly nonce: () => string
}

/** An entry of a source, and what its content was hashed as. */
export interface FingerprintedFile extends SelectedEntry {
  readonly content: string
}

type Part = FileStep['ops'][number]

/** What a COPY takes from a file tree: entries and the digest of their contents. */
interface Taken {
  readonly entries: readonly SelectedEntry[]
  readonly digest: string
}

export function fileHandler(services: FileServices): StepHandler<FileStep> {
  const packer = new FileLayerPacker(services)
  const fingerprints = new StageFingerprints(services.cache)
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
      const under = step.link && !looksUpNames(step) ? 'link' : below(visit).identity
      const sources: (string | StageFiles)[] = []
      for (const part of step.ops) sources.push(await sourceOf(part, visit, services, take))
      return await fingerprints.keyOf(step, sources, (digests) => {
        const parts = step.ops.map(({ op }, i) => [keyedOp(op), digests[i]])
        return stepKey('file', ['below', under], ['operations', parts], ['lacking', services.lacking])
      })
    },

    async run(visit, key) {
      const { now, nonce } = services
      const { step } = visit
      const started = now()
      await fingerprints.prove(step)
      const parent = below(visit)
      const made = { key: key!, nonce: step.noCache ? nonce() : undefined }
      const id = snapshotName({ kind: 'file', ...made })
      const coming = await makeHere(id, visit, services, packer, take)
      if (coming === undefined) await makeInWorker(id, visit, services, take)
      const facts = { snapshot: id, made, created: now(), started, known: undefined, source: undefined }
      return onTop(parent, { ...facts, coming, alone: step.link })
    },
  }
}

/** Makes the layer without a worker; undefined where the files of a root filesystem are wanted, or are needed for it. */
async function makeHere(
  id: string,
  visit: Visit<FileStep>,
  services: FileServices,
  packer: FileLayerPacker,
  take: Take,
): Promise<ComingLayer | undefined> {
  const { step, signal } = visit
  if (services.needsFiles(step)) return undefined
  const { stack } = below(visit)
  const under = step.link ? undefined : await services.trees.tree(stack)
  const accounts = looksUpNames(step) ? await services.trees.tree(stack) : undefined
  if ((!step.link && under === undefined) || (looksUpNames(step) && accounts === undefined)) return undefined
  const ops: OpenedOp[] = []
  for (const part of step.ops) {
    const { op } = part
    const input = part.from === undefined ? EMPTY_ROOTFS : visit.input(part.from)
    if (op.op !== 'copy') ops.push(op.op === 'write' ? written(op, input) : op)
    else if (input.kind !== 'file') {
      const tree = input.kind === 'tree' ? input.tree : await layerSource(input, services)
      if (tree === undefined) return undefined
      ops.push({ op, tree, entries: (await take(part, op, tree, signal)).entries })
    }
  }
  const onProgress = (bytes: number) => visit.progress('packing layer', bytes, 0)
  const layer = { id, below: under, accounts, ops, isBelow: services.isBelow(step) }
  return await packer.pack(layer, { signal, onProgress })
}

/** Has the worker write the layer into a root filesystem. */
async function makeInWorker(id: string, visit: Visit<FileStep>, services: FileServices, take: Take): Promise<void> {
  const { store, layers, worker } = services
  const { step, signal } = visit
  await using temporary = await store.blobs.temporary('copy')
  const { stack: whole } = below(visit)
  const [stack, accounts, ops] = await Promise.all([
    step.link ? [] : layers.snapshots(whole),
    step.link && looksUpNames(step) ? layers.snapshots(whole) : undefined,
    Promise.all(step.ops.map((part, i) => workerOp(part, `${temporary.path}/${i}`, visit, services, take))),
  ])
  await worker.call(
    'files.apply',
    { stack, id, ops, accounts, spool: `${temporary.path}/spool` },
    { signal, onEvent: (e) => e.type === 'progress' && visit.progress(e.item, e.current, e.total) },
  )
  layers.added(id)
}

/** The files of a root filesystem by the indexes of its layers; undefined where a RUN made some of them. */
async function layerSource({ stack }: RootfsResult, { trees }: FileServices): Promise<Tree | undefined> {
  // Only the worker sees all that a process can leave.
  if (stack.layers().some(({ snapshot }) => snapshot.startsWith('run-'))) return undefined
  const root = await trees.tree(stack)
  return root && openLayerSource(root)
}

/** A download is written from where it is. */
function written(op: WriteOp, input: StepResult): WriteOp {
  return input.kind === 'file' ? { ...op, content: { path: input.path }, mtime: input.mtime ?? op.mtime } : op
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

async function takeFiles(op: CopyOp, tree: Tree, services: FileServices, signal: AbortSignal): Promise<Taken> {
  const entries = await select(tree, op.selection, signal)
  return { entries, digest: await digestOf(tree, entries, op.keepOwner, services.statCache, services, signal) }
}

async function digestOf(
  tree: Tree,
  entries: readonly SelectedEntry[],
  owners: boolean,
  statCache: StatCache | undefined,
  { now, onFingerprint }: FileServices,
  signal: AbortSignal,
): Promise<string> {
  const contents: string[] = []
  const digest = await fingerprint(tree, entries, { owners, statCache, now: now(), contents, signal })
  onFingerprint?.(digest, () => entries.map((entry, i) => ({ ...entry, content: contents[i]! })))
  return digest
}

/** What decides the content that an operation takes: a digest, or files that have one. */
async function sourceOf(
  part: Part,
  visit: Visit<FileStep>,
  services: FileServices,
  take: Take,
): Promise<string | StageFiles> {
  const { op, from } = part
  const { layers, worker } = services
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
  return {
    key: hashKey('fingerprint', input.identity, selection, keepOwner),
    async compute() {
      const tree = services.needsFiles(visit.step) ? undefined : await layerSource(input, services)
      if (tree)
        return await digestOf(tree, await select(tree, selection, signal), keepOwner, undefined, services, signal)
      const stack = await layers.snapshots(input.stack)
      return await worker.call('files.fingerprint', { stack, selection, keepOwner }, { signal })
    },
  }
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
  if (op.op === 'write') return { op: written(op, input), source: undefined }
  if (op.op !== 'copy' || input.kind === 'file') return { op, source: undefined }
  if (input.kind === 'rootfs') return { op, source: { type: 'stack', stack: await layers.snapshots(input.stack) } }
  await writeEntries(entriesFile, (await take(part, op, input.tree, visit.signal)).entries)
  return { op, source: { type: 'entries', root: input.tree.root, entries: entriesFile } }
}
