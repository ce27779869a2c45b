/** The end of a build: outputs and shared caches, side by side. */
import type { BuildResult } from '../results.ts'
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
  outputs.catch((error: unknown) => failed.abort(error))
  const signal = AbortSignal.any([session.signal, failed.signal])
  const exports = exportCaches(solved, solver, session, settings, { done: outputs, signal })
  await Promise.allSettled([outputs, exports])
  const [built, exported] = [await outputs, await exports]
  const explanation = await explainer.finish()
  return { ...built, explanation, cache: { imported: solver.caches?.summary() ?? [], exported } }
}
