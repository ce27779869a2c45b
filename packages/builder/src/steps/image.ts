/** FROM an image: a stack of layers that are fetched when files or blobs of them are needed. */
import { createHash } from 'node:crypto'
import type { Layer, LayerSource } from '../graph/layer.ts'
import type { ImageStep } from '../graph/step.ts'
import { LayerStack } from './layer-stack.ts'
import type { RootfsResult, StackLayer, StepHandler } from './types.ts'

/** Snapshot ids of a base image's layers: their chainIDs (image-spec config.md, "Layer ChainID"). */
export function chainIDs(diffIDs: readonly string[]): string[] {
  const chain: string[] = []
  for (const diffID of diffIDs) {
    const below = chain.at(-1)
    chain.push(
      below === undefined ? diffID : `sha256:${createHash('sha256').update(`${below} ${diffID}`).digest('hex')}`,
    )
  }
  return chain
}

/** @param sourceOf where the blobs of an image are, by its reference */
export function imageHandler(sourceOf: (ref: string) => LayerSource): StepHandler<ImageStep> {
  return {
    kind: 'image',
    async key() {
      return undefined
    },
    run: async ({ step }) => imageRootfs(step.layers, sourceOf(step.ref)),
  }
}

/** The root filesystem of an image. */
export function imageRootfs(layers: readonly Layer[], source: LayerSource): RootfsResult {
  const chain = chainIDs(layers.map((l) => l.diffID))
  const stack = layers.map(
    (layer, i): StackLayer => ({
      snapshot: `chain-${chain[i]!.slice(chain[i]!.indexOf(':') + 1)}`,
      made: undefined,
      created: undefined,
      started: undefined,
      known: layer,
      source,
      alone: false,
    }),
  )
  return { kind: 'rootfs', identity: chain.at(-1) ?? 'scratch', stack: LayerStack.of(...stack) }
}
