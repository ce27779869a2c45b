/** The steps of a build as shared caches are to know them. */
import type { SharedStep } from '../cache/export.ts'
import type { Step } from '../graph/step.ts'
import type { CompressionChoice } from '../layer/compression-attributes.ts'
import { isAbsent, type LayerStack, type StackLayer } from '../steps/layer-stack.ts'
import { DEFAULT_COMPRESSION } from '../steps/layers.ts'
import type { BuildSettings } from './settings.ts'
import type { BuildSolver, SolvedImage } from './solver.ts'

/** A step with the stack that it gave. */
export interface SolvedStep {
  readonly step: Step
  readonly stack: LayerStack
  readonly layer: StackLayer
}

/** Every step that gave a layer, of those that are wanted; each layer once. */
export async function solvedSteps(
  solver: BuildSolver,
  isWanted: (step: Step) => boolean = () => true,
): Promise<SolvedStep[]> {
  const found = new Map<string, SolvedStep>()
  for (const { step, result } of await solver.rootfses()) {
    const layer = result.stack.top
    if (layer !== undefined && step.kind !== 'image' && isWanted(step))
      found.set(layer.snapshot, { step, stack: result.stack, layer })
  }
  return [...found.values()]
}

/** @param choice how layers are to be compressed; those of other caches are only if `force` says so */
export function sharedSteps(
  steps: readonly SolvedStep[],
  solved: readonly SolvedImage[],
  { layers }: BuildSolver,
  settings: BuildSettings,
  choice: CompressionChoice,
): SharedStep[] {
  const inImages = new Set(imageStacks(solved).flatMap((stack) => stack.snapshots()))
  return steps.flatMap(({ step, stack, layer }) => {
    const record = recordOf(step, layer)
    if (record === undefined) return []
    const isFetched = layer.source !== undefined && layer.known !== undefined && !choice.force
    const compression = isFetched ? (layer.compression ?? DEFAULT_COMPRESSION) : choice
    const make = async () => ({ layer: await layers.blob(stack, compression), compression })
    const isKept = isAbsent(layer) || mayHoldSecrets(step, settings)
    return [{ ...record, isInImage: inImages.has(layer.snapshot), layer: isKept ? undefined : make }]
  })
}

/** What a step's result is known by; undefined where an earlier version has not written down what proves it. */
export function recordOf(step: Step, layer: StackLayer): Omit<SharedStep, 'isInImage' | 'layer'> | undefined {
  const { made, started, created } = layer
  if (made === undefined || started === undefined || created === undefined) return undefined
  return { kind: step.kind === 'run' ? 'run' : 'file', ...made, started, created }
}

/** Nobody has looked whether the process has written down the secrets that it was given. */
export function mayHoldSecrets(step: Step, { options }: BuildSettings): boolean {
  if (options.allowSecretsInLayers !== true || step.kind !== 'run') return false
  return step.mounts.some(({ type }) => type === 'secret' || type === 'ssh')
}

/** The stacks of the images that were built, in all their variants. */
export function imageStacks(solved: readonly SolvedImage[]): LayerStack[] {
  return solved.flatMap(({ rootfs, undated }) => [rootfs.stack, ...(undated ? [undated.rootfs.stack] : [])])
}
