/** The calls that answer questions about a Dockerfile without building it. */
import type { CheckReport } from '../calls/check.ts'
import { checkFile } from '../calls/check-file.ts'
import { type FixResult, fixDockerfile } from '../calls/fix.ts'
import { outlineTarget } from '../calls/outline.ts'
import { listTargets } from '../calls/targets.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import { createLinter, lintStages } from '../lint/index.ts'
import type { DockerfileOptions, Place } from '../options.ts'
import { planBuild } from '../plan/plan.ts'
import type { CallResult } from '../results.ts'
import type { ResolvedStages } from '../stages/resolve.ts'
import { checkOptions } from './option-schema.ts'
import { planOptions, resolveFor } from './plan-all.ts'
import { Session } from './session.ts'
import { asBuildError, type BuildSettings, resolveBuildSettings, type Settings } from './settings.ts'
import { readSource, readSources } from './sources.ts'

/** {@link CheckReport} with what `--fix` needs. */
export interface CheckOutcome extends CheckReport {
  /** Rewrites what can be fixed safely; undefined when the file cannot be parsed. */
  readonly fix?: () => FixResult
}

/**
 * Runs the checks over a Dockerfile: what `docker buildx build --check` reports. Without a target all stages are checked.
 *
 * @throws BuildError for reasons outside the file: no such file, registry unreachable
 */
export async function check(options: DockerfileOptions<Place>): Promise<CheckOutcome> {
  return await inSession(options, async (session, settings) => {
    const { report, remarks, stages } = await checkFile(await readSource(session), {
      buildArgs: settings.buildArgs,
      resolve: (parsed) => resolveTarget(parsed, session, settings, settings.options.target === undefined),
      plan: (stages) => planBuild(stages, planOptions(settings)),
      ignored: () => session.contexts.ignored(),
    })
    for (const remark of remarks) session.warn(remark)
    return { ...report, ...(stages && { fix: () => fixDockerfile(stages, report.warnings) }) }
  })
}

/** Lists the arguments, secrets and ssh agents that building a target uses: `--call=outline`. */
export async function outline(options: DockerfileOptions<Place>): Promise<CallResult> {
  return await inSession(options, async (session, settings) => {
    const parsed = await readSources(session)
    const { linter } = createLinter(parsed.dockerfile, settings.buildArgs)
    const stages = await resolveTarget(parsed, session, settings, false)
    const facts = await lintStages(stages, linter, () => session.contexts.ignored())
    // Planning finds what the checks do not look at: ports, mounts.
    planBuild(stages, planOptions(settings))
    return outlineTarget(stages, facts)
  })
}

/** Lists the stages that can be built: `--call=targets`. */
export async function targets(options: DockerfileOptions<Place>): Promise<CallResult> {
  return await inSession(options, async (session) => listTargets(await readSources(session)))
}

async function resolveTarget(
  parsed: ParsedDockerfile,
  session: Session,
  settings: Settings,
  allStages: boolean,
): Promise<ResolvedStages> {
  return await resolveFor(settings.platforms[0]!, parsed, session, settings, new Map(), allStages)
}

async function inSession<T>(
  call: DockerfileOptions<Place>,
  work: (session: Session, settings: BuildSettings) => Promise<T>,
): Promise<T> {
  let root: string | undefined
  try {
    const settings = resolveBuildSettings(checkOptions('build', call))
    root = settings.root
    await using session = await Session.open(settings, 'ask')
    return await work(session, settings)
  } catch (error) {
    throw asBuildError(error, { root })
  }
}
