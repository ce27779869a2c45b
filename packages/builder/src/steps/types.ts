/** Results of steps and the contract of their handlers. */
import type { Tree } from '../context/tree.ts'
import { hashKey, type StepKey } from '../graph/key.ts'
import type { Step } from '../graph/step.ts'
import type { ProgressVertex } from '../progress.ts'
import { LayerStack, type StackLayer } from './layer-stack.ts'

export type { ComingLayer, StackLayer } from './layer-stack.ts'

/** A root filesystem. */
export interface RootfsResult {
  readonly kind: 'rootfs'
  /** Names this very content, all layers of it: the key of what is built on it. See {@link onTop}. */
  readonly identity: string
  readonly stack: LayerStack
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
export const EMPTY_ROOTFS: RootfsResult = { kind: 'rootfs', identity: 'scratch', stack: LayerStack.empty }

/**
 * A root filesystem with one more layer. Its identity covers all that lies below, also where the layer was made without
 * looking at it: what is built on top sees the whole.
 */
export function onTop(below: RootfsResult, layer: StackLayer): RootfsResult {
  const identity = `on-${hashKey('on', below.identity, layer.snapshot)}`
  return { kind: 'rootfs', identity, stack: below.stack.with(layer) }
}

/** What a handler learns about one visit of its step. */
export interface Visit<S extends Step> {
  readonly step: S
  readonly vertex: ProgressVertex
  /** Results of `inputsOf(step)`, in that order. */
  input(step: Step): StepResult
  readonly signal: AbortSignal
  /** The step has failed: other builds that wait for it need not wait for what is done about that. */
  giveUp(): Promise<void>
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
  key(visit: Visit<S>): Promise<StepKey | undefined>
  /** Makes the result: of a step with a key, its parent's with one more layer. `key` is that of {@link key}. */
  run(visit: Visit<S>, key: string | undefined): Promise<StepResult>
}
