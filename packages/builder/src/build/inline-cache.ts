/** The cache that an image carries in its config. */

import type { CacheDocument } from '../cache/document.ts'
import { collectDocument, type SharedStep } from '../cache/export.ts'
import type { DocumentFormat } from '../export/exporter.ts'
import type { Layer } from '../graph/layer.ts'
import type { BuildSettings } from './settings.ts'
import { mayHoldSecrets, recordOf, solvedSteps } from './shared-steps.ts'
import { type BuildSolver, type Solved, stepsBehind } from './solver.ts'

/**
 * What was built for an image, with those of its layers that are as the steps gave them: not those with other times.
 *
 * @param layers of the image, bottom first
 */
export async function inlineDocument(
  { plan, rootfs }: Solved,
  layers: readonly Layer[],
  format: DocumentFormat,
  solver: BuildSolver,
  settings: BuildSettings,
): Promise<CacheDocument> {
  const behind = new Set(stepsBehind(plan.rootfs ? [plan.rootfs] : []))
  const parts = rootfs.stack.parts()
  const own = new Map(parts.map((stack, i) => [stack.top!.snapshot, { stack, layer: layers[i]! }]))
  const steps = await solvedSteps(solver, (step) => behind.has(step))
  const shared = steps.flatMap(({ step, layer }): SharedStep[] => {
    const record = recordOf(step, layer)
    if (record === undefined) return []
    const place = own.get(layer.snapshot)
    if (place === undefined || mayHoldSecrets(step, settings))
      return [{ ...record, isInImage: false, layer: undefined }]
    const make = async () => {
      const made = await solver.layers.blob(place.stack, format)
      return made.descriptor.digest === place.layer.descriptor.digest ? { layer: made, compression: format } : undefined
    }
    return [{ ...record, isInImage: true, layer: make }]
  })
  return await collectDocument(shared, solver.fingerprints, 'min')
}
