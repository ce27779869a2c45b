/**
 * Layers on top of each other. A stack on which one more layer is put is shared, not copied: of a Dockerfile with
 * thousands of steps each has a stack of its own.
 */
import type { SnapshotNaming } from '../graph/key.ts'
import type { Layer, LayerSource } from '../graph/layer.ts'
import type { LayerIndex } from '../layer/layer-index.ts'
import type { SnapshotId } from '../snapshot/snapshotter.ts'

/** How a layer's blob is compressed. */
export interface CompressionOptions {
  readonly compression: 'gzip' | 'zstd' | 'none'
  readonly level: number | undefined
}

/** A layer that is being packed. */
export interface ComingLayer {
  /** What it will hold; undefined: nobody wants to know. */
  readonly index: LayerIndex | undefined
  /** Its blob, once that is stored. */
  readonly blob: Promise<Layer>
}

/** One layer of a root filesystem: content that exists as a snapshot, as a blob, or can be fetched. */
export interface StackLayer {
  readonly snapshot: SnapshotId
  /** What the step's snapshot is named by; undefined for layers of a base image, and of records of earlier versions. */
  readonly made: Pick<SnapshotNaming, 'key' | 'nonce'> | undefined
  /** When the step that made it ended, milliseconds; undefined for layers of a base image. */
  readonly created: number | undefined
  /** When that step began: times in the layer that are not older were made by the step. */
  readonly started: number | undefined
  /** The blob, where it is known already; the layer service makes it otherwise. */
  readonly known: Layer | undefined
  /** Where it is being made right now, and there is no snapshot of it. */
  readonly coming?: ComingLayer | undefined
  /** Where the blob is fetched; undefined when it was made here. Without a blob: who knows of the layer, and does not have it. */
  readonly source: LayerSource | undefined
  /** How the blob is compressed, where not as usual. */
  readonly compression?: CompressionOptions | undefined
  /** Made on nothing (`--link`), so that it may stand on anything; others belong on what they were made on. */
  readonly alone: boolean
}

/** A layer's blob, which may still be made; undefined where there is only a snapshot. */
export function blobOf({ known, coming }: StackLayer): Layer | Promise<Layer> | undefined {
  return known ?? coming?.blob
}

/** Whether a layer is of a base image: it stays as it is. */
export function isOfBase({ source }: StackLayer): boolean {
  return source?.kind === 'image'
}

/** Whether there is nothing of a layer but its name. */
export function isAbsent({ known, source }: StackLayer): boolean {
  return known === undefined && source !== undefined
}

export class LayerStack implements Iterable<StackLayer> {
  static readonly empty = new LayerStack(undefined, undefined, 0)

  /** undefined only for an empty one. */
  readonly top: StackLayer | undefined
  /** All but the top; undefined only for an empty one. */
  readonly below: LayerStack | undefined
  readonly length: number

  private constructor(top: StackLayer | undefined, below: LayerStack | undefined, length: number) {
    this.top = top
    this.below = below
    this.length = length
  }

  /** @param layers bottom first */
  static of(...layers: readonly StackLayer[]): LayerStack {
    return layers.reduce((stack: LayerStack, layer) => stack.with(layer), LayerStack.empty)
  }

  /** The stack with one more layer on top. */
  with(layer: StackLayer): LayerStack {
    return new LayerStack(layer, this, this.length + 1)
  }

  /**
   * The stacks that end with each of the layers, bottom first.
   *
   * @param wanted only those above the uppermost one that is not wanted
   */
  parts(wanted: (part: LayerStack) => boolean = () => true): LayerStack[] {
    const parts: LayerStack[] = []
    for (let part: LayerStack = this; part.below !== undefined && wanted(part); part = part.below) parts.push(part)
    return parts.reverse()
  }

  /** The layers' snapshots, bottom first. */
  snapshots(): SnapshotId[] {
    const ids = new Array<SnapshotId>(this.length)
    for (let part: LayerStack = this; part.below !== undefined; part = part.below)
      ids[part.length - 1] = part.top!.snapshot
    return ids
  }

  /** The layers, bottom first. */
  layers(): StackLayer[] {
    return this.parts().map((part) => part.top!)
  }

  [Symbol.iterator](): Iterator<StackLayer> {
    return this.layers().values()
  }
}
