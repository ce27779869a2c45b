/** Resolves stages, checks and plans them: one plan per platform, two where some outputs take SOURCE_DATE_EPOCH away. */
import { formatPlatform, type Platform } from '@tsbuild/registry-client'
import type { FoundImage } from '../image/resolve.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import type { PlanOptions } from '../plan/context.ts'
import { type ImagePlan, planBuild } from '../plan/plan.ts'
import { type ResolvedStages, resolveStages } from '../stages/resolve.ts'
import { lint } from './lint.ts'
import type { Session } from './session.ts'
import type { BuildSettings, Settings } from './settings.ts'
import { stageWorld } from './world.ts'

export interface AllPlans {
  readonly plans: readonly ImagePlan[]
  /** The same without SOURCE_DATE_EPOCH, for outputs that take it away; empty when there are none, or it is not set. */
  readonly undated: readonly ImagePlan[]
  /** Every image that a plan uses, by reference. */
  readonly images: ReadonlyMap<string, FoundImage>
}

/** Findings of the checks are reported once, however many platforms are built, and before what fails the build. */
export async function planAll(parsed: ParsedDockerfile, session: Session, settings: BuildSettings): Promise<AllPlans> {
  const images = new Map<string, FoundImage>()
  // A platform that is asked for twice is in the result twice, and built once.
  const byPlatform = new Map<string, ResolvedStages>()
  for (const platform of settings.platforms) {
    const name = formatPlatform(platform)
    if (byPlatform.has(name)) continue
    byPlatform.set(name, await resolveFor(platform, parsed, session, settings, images))
  }
  const violation = await lint([...byPlatform.values()][0]!, session)
  const planFor = (undated: boolean): ImagePlan[] => {
    const options = { ...planOptions(settings), pins: session.pins, undated }
    const plans = new Map([...byPlatform].map(([name, stages]) => [name, planBuild(stages, options)]))
    return settings.platforms.map((platform) => plans.get(formatPlatform(platform))!)
  }
  const { outputs } = settings
  const all = outputs.length > 0 && outputs.every(({ epoch }) => epoch === 'none')
  const plans = planFor(all)
  if (violation) throw violation
  const some = !all && outputs.some(({ epoch }) => epoch === 'none') && plans.some((plan) => plan.epoch !== undefined)
  return { plans, undated: some ? planFor(true) : [], images }
}

/** @param images collects every image that was resolved, by its reference */
export async function resolveFor(
  platform: Platform,
  parsed: ParsedDockerfile,
  session: Session,
  settings: Settings,
  images: Map<string, FoundImage>,
  allStages = false,
  target = settings.options.target,
): Promise<ResolvedStages> {
  const { buildArgs, buildPlatform } = settings
  const options = { target, platform, buildPlatform, buildArgs, allStages }
  return await resolveStages(parsed, options, stageWorld(session, images), session.signal)
}

export function planOptions(settings: BuildSettings): PlanOptions {
  const { options, buildArgs } = settings
  return {
    implicitPlatform: settings.implicitPlatform,
    multiPlatform: settings.platforms.length > 1,
    labels: options.labels ?? {},
    noCache: settings.noCache,
    network: options.network === 'isolated' ? 'default' : (options.network ?? 'default'),
    allow: new Set(options.allow ?? []),
    extraHosts: settings.extraHosts,
    shmSize: options.shmSize,
    ulimits: options.ulimits ?? [],
    hostname: buildArgs.get('BUILDKIT_SANDBOX_HOSTNAME') || undefined,
    undated: false,
    pins: undefined,
  }
}
