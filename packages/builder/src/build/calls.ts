/** The calls that answer questions about a Dockerfile without building it. */
import type { CheckReport } from '../calls/check.ts'
import { checkFile } from '../calls/check-file.ts'
import { type FixResult, fixDockerfile } from '../calls/fix.ts'
import { outlineTarget } from '../calls/outline.ts'
import { listTargets } from '../calls/targets.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import type { LintWorld } from '../lint/index.ts'
import { createLinter, lintFile } from '../lint/index.ts'
import type { BuildOptions, CallResult, DockerfileOptions, Place } from '../options.ts'
import { planBuild } from '../plan/plan.ts'
import { lintWorld } from './lint.ts'
import { checkOptions } from './option-schema.ts'
import { planOptions } from './plan-all.ts'
import { Session } from './session.ts'
import { asBuildError, resolveBuildSettings, resolveSettings, type Settings } from './settings.ts'
import { readSource, readSources } from './sources.ts'
import { planWorld } from './world.ts'

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
  return await inSession(options, async (session, { options }) => {
    const world = worldOf(session, options.target === undefined)
    const source = await readSource(session)
    const { report, remarks, checked } = await checkFile(source, {
      world,
      plan: (parsed) => planTarget(parsed, session, options),
    })
    for (const remark of remarks) session.warn(remark)
    return { ...report, ...(checked && { fix: () => fixDockerfile(checked.parsed, report.warnings, checked.facts) }) }
  })
}

/** Lists the arguments, secrets and ssh agents that building a target uses: `--call=outline`. */
export async function outline(options: DockerfileOptions<Place>): Promise<CallResult> {
  return await inSession(options, async (session, { options }) => {
    const parsed = await readSources(session)
    const { linter } = createLinter(parsed.dockerfile, session.settings.buildArgs)
    const facts = await lintFile(parsed, linter, worldOf(session, false))
    // Planning finds what the checks do not look at: circles of stages, ports, mounts.
    await planTarget(parsed, session, options)
    return outlineTarget(parsed, facts)
  })
}

/** Lists the stages that can be built: `--call=targets`. */
export async function targets(options: DockerfileOptions<Place>): Promise<CallResult> {
  return await inSession(options, async (session) => listTargets(await readSources(session)))
}

/** Plans without building, for the errors it finds. */
async function planTarget(parsed: ParsedDockerfile, session: Session, options: DockerfileOptions): Promise<void> {
  const settings = resolveBuildSettings(options as BuildOptions)
  const world = planWorld(session, new Map())
  await planBuild(parsed, planOptions(settings, settings.platforms[0]!), world, session.signal)
}

function worldOf(session: Session, allStages: boolean): LintWorld {
  return { ...lintWorld(session, new Map()), allStages }
}

async function inSession<T>(
  call: DockerfileOptions<Place>,
  work: (session: Session, settings: Settings) => Promise<T>,
): Promise<T> {
  let root: string | undefined
  try {
    const settings = resolveSettings(checkOptions('build', call))
    root = settings.root
    await using session = await Session.open(settings, 'ask')
    return await work(session, settings)
  } catch (error) {
    throw asBuildError(error, { root })
  }
}
