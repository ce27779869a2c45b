/**
 * Builds images: read the Dockerfile, parse it, plan a graph per platform, solve it, assemble images, export them.
 */
import { BuildCacheMounts } from './build/cache-mounts.ts'
import { openCaches } from './build/caches.ts'
import { checkInputs } from './build/check-inputs.ts'
import { Explainer } from './build/explain.ts'
import { finish } from './build/finish.ts'
import { openWorker } from './build/layers.ts'
import { useLock } from './build/lock-use.ts'
import { withLostLayers } from './build/lost-layers.ts'
import { checkOptions } from './build/option-schema.ts'
import { planAll } from './build/plan-all.ts'
import { Session } from './build/session.ts'
import { asBuildError, resolveBuildSettings } from './build/settings.ts'
import { openSolver } from './build/solver.ts'
import { readSources } from './build/sources.ts'
import type { ParsedDockerfile } from './instructions/nodes.ts'
import type { BuildOptions, Place } from './options.ts'
import type { BuildResult } from './results.ts'

/**
 * Builds the image that a Dockerfile describes.
 *
 * Nothing is printed and the process is not changed: progress is reported as events, failures as {@link BuildError}.
 * Aborting `signal` ends the build with the code CANCELLED, after everything it started has ended.
 *
 * @throws BuildError
 */
export async function build(call: BuildOptions<Place>): Promise<BuildResult> {
  let root: string | undefined
  try {
    const options = checkOptions('build', call)
    const settings = resolveBuildSettings(options)
    root = settings.root
    await checkInputs(settings)
    await using session = await Session.open(settings)
    for (const message of [...withoutEffect(options), ...settings.warnings]) session.warn({ rule: '', message })
    const caches = await openCaches(session, settings)
    const parsed = await readSources(session)
    await useLock(session, options)
    const worker = openWorker(session, options, hasRun(parsed))
    const { plans, undated, images } = await planAll(parsed, session, settings)
    await using explainer = new Explainer(session, options)
    const shared = { caches, mounts: new BuildCacheMounts(session, worker, caches, settings) }
    return await withLostLayers(session, async (trust) => {
      const what = { parsed, plans, undated, images }
      const solver = await openSolver(what, worker, session, settings, trust, explainer, shared)
      return await finish(await solver.solve(), solver, session, settings, explainer)
    })
  } catch (error) {
    throw asBuildError(error, { signal: call?.signal, root })
  }
}

function hasRun({ stages }: ParsedDockerfile): boolean {
  return stages.some(({ instructions }) => instructions.some(({ kind }) => kind === 'RUN'))
}

/** What other builders do with options whose absence makes no image wrong. */
function withoutEffect({ attests }: BuildOptions): string[] {
  return attests?.length ? ['attestations are not made by this version: the image is built without them'] : []
}
