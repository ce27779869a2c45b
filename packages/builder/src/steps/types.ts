/** Results of steps and the contract of their handlers. */
import type { Descriptor } from '@tsbuild/registry-client'
import type { Tree } from '../context/tree.ts'
import { hashKey } from '../graph/key.ts'
import type { Step } from '../graph/step.ts'
import type { ProgressVertex } from '../progress.ts'
import type { SnapshotId } from '../snapshot/snapshotter.ts'

/** A layer's blob and the digest of the tar inside it. */
export interface LayerBlob {
  readonly descriptor: Descriptor
  readonly diffID: string
}

/** One layer of a root filesystem: content that exists as a snapshot, as a blob, or can be fetched. */
export interface StackLayer {
  readonly snapshot: SnapshotId
  /** When the step that made it ended, milliseconds; undefined for layers of a base image. */
  readonly created: number | undefined
  /** When that step began: times in the layer that are not older were made by the step. */
  readonly started: number | undefined
  /** The blob, where it is known already; {@link LayerService.blob} makes it otherwise. */
  readonly known: LayerBlob | undefined
  /** Reference of the base image whose source has the blob. */
  readonly image: string | undefined
  /** Made on nothing (`--link`), so that it may stand on anything; others belong on what they were made on. */
  readonly alone: boolean
}

/** A root filesystem: layers from bottom to top. */
export interface RootfsResult {
  readonly kind: 'rootfs'
  /** Names this very content, all layers of it: the key of what is built on it. See {@link onTop}. */
  readonly identity: string
  readonly stack: readonly StackLayer[]
}

/** A file tree of the main process: a context or a checkout. */
export interface TreeResult {
  readonly kind: 'tree'
  readonly tree: Tree
}

/** One downloaded file. */
export interface FileResult {
  readonly kind: 'file'
  readonly digest: string
  readonly path: string
  /** Seconds. */
  readonly mtime: number | undefined
}

export type StepResult = RootfsResult | TreeResult | FileResult

/** An empty root filesystem: what FROM scratch stands for. */
export const EMPTY_ROOTFS: RootfsResult = { kind: 'rootfs', identity: 'scratch', stack: [] }

/**
 * A root filesystem with one more layer. Its identity covers all that lies below, also where the layer was made without
 * looking at it: what is built on top sees the whole.
 */
export function onTop(below: RootfsResult, layer: StackLayer): RootfsResult {
  const identity = `on-${hashKey('on', below.identity, layer.snapshot)}`
  return { kind: 'rootfs', identity, stack: [...below.stack, layer] }
}

/** What a handler learns about one visit of its step. */
export interface Visit<S extends Step> {
  readonly step: S
  readonly vertex: ProgressVertex
  /** Results of `inputsOf(step)`, in that order. */
  input(step: Step): StepResult
  readonly signal: AbortSignal
  /** Bytes printed by the step's process. */
  log(stream: 'stdout' | 'stderr', data: Buffer): void
  progress(item: string, current: number, total: number): void
}

/** How one kind of step is keyed and made. */
export interface StepHandler<S extends Step> {
  readonly kind: S['kind']
  /**
   * What can be done before the step's inputs are there; `open` visits one of them. Called once per step, the last
   * steps of a graph first, as the reference looks for missing sources.
   */
  early?(step: S, open: (input: Step) => Promise<StepResult>, signal: AbortSignal): Promise<void>
  /**
   * The cache key, or undefined when the step has no cache of its own (its result is cheap or checked elsewhere).
   * Reads inputs; never writes.
   */
  key(visit: Visit<S>): Promise<string | undefined>
  /** Makes the result: of a step with a key, its parent's with one more layer. `key` is what {@link key} gave. */
  run(visit: Visit<S>, key: string | undefined): Promise<StepResult>
}
