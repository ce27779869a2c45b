/** The end of a build: outputs and shared caches, side by side. */
import { formatReference, parseReference } from '@tsbuild/registry-client'
import type { BuildResult, OutputResult } from '../results.ts'
import { exportCaches } from './cache-exports.ts'
import type { Explainer } from './explain.ts'
import { exportAll } from './outputs.ts'
import type { Session } from './session.ts'
import type { BuildSettings } from './settings.ts'
import type { BuildSolver, SolvedImage } from './solver.ts'

/** Ends when all outputs and exports have. A cache that cannot be written leaves the outputs as they are. */
export async function finish(
  solved: readonly SolvedImage[],
  solver: BuildSolver,
  session: Session,
  settings: BuildSettings,
  explainer: Explainer,
): Promise<BuildResult> {
  // An image that could not be written is no reason to wait for the caches.
  const failed = new AbortController()
  const outputs = exportAll(solved, solver, session, settings)
  const repositories = outputs.then(({ outputs }) => outputs.flatMap(pushedTo))
  for (const waiting of [outputs, repositories]) waiting.catch((error: unknown) => failed.abort(error))
  const signal = AbortSignal.any([session.signal, failed.signal])
  const exports = exportCaches(solved, solver, session, settings, { repositories, signal })
  await Promise.allSettled([outputs, exports])
  const [built, exported] = [await outputs, await exports]
  const explanation = await explainer.finish()
  return { ...built, explanation, cache: { imported: solver.caches?.summary() ?? [], exported } }
}

/** Repositories that an output has pushed to. */
function pushedTo({ type, names = [] }: OutputResult): string[] {
  if (type !== 'registry' && type !== 'image') return []
  return names.map((name) => {
    const { registry, repository } = parseReference(name)
    return formatReference({ registry, repository })
  })
}
