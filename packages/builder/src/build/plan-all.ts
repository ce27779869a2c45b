/** One plan per platform; two where some outputs take SOURCE_DATE_EPOCH away and others do not. */
import { formatPlatform } from '@tsbuild/registry-client'
import type { FoundImage } from '../image/resolve.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import type { PlanOptions } from '../plan/context.ts'
import { type ImagePlan, planBuild } from '../plan/plan.ts'
import { lintUnplanned } from './lint.ts'
import type { Session } from './session.ts'
import type { BuildSettings } from './settings.ts'
import { planWorld } from './world.ts'

export interface AllPlans {
  readonly plans: readonly ImagePlan[]
  /** The same without SOURCE_DATE_EPOCH, for outputs that take it away; empty when there are none, or it is not set. */
  readonly undated: readonly ImagePlan[]
  /** Every image that a plan uses, by reference. */
  readonly images: ReadonlyMap<string, FoundImage>
}

export async function planAll(parsed: ParsedDockerfile, session: Session, settings: BuildSettings): Promise<AllPlans> {
  const images = new Map<string, FoundImage>()
  const world = planWorld(session, images)
  const planFor = async (undated: boolean): Promise<ImagePlan[]> => {
    // A platform that is asked for twice is in the result twice, and built once.
    const byPlatform = new Map<string, ImagePlan>()
    for (const platform of settings.platforms) {
      const name = formatPlatform(platform)
      if (byPlatform.has(name)) continue
      const options = { ...planOptions(settings, platform), undated }
      byPlatform.set(name, await planBuild(parsed, options, world, session.signal))
    }
    return settings.platforms.map((platform) => byPlatform.get(formatPlatform(platform))!)
  }
  const { outputs } = settings
  try {
    const all = outputs.length > 0 && outputs.every(({ epoch }) => epoch === 'none')
    const plans = await planFor(all)
    const some = !all && outputs.some(({ epoch }) => epoch === 'none') && plans.some((plan) => plan.epoch !== undefined)
    return { plans, undated: some ? await planFor(true) : [], images }
  } catch (error) {
    if (!session.signal.aborted) await lintUnplanned(parsed, session)
    throw error
  }
}

export function planOptions(settings: BuildSettings, platform: PlanOptions['platform']): PlanOptions {
  const { options, buildArgs } = settings
  return {
    target: options.target,
    platform,
    buildPlatform: settings.buildPlatform,
    implicitPlatform: settings.implicitPlatform,
    multiPlatform: settings.platforms.length > 1,
    buildArgs,
    labels: options.labels ?? {},
    noCache: settings.noCache,
    network: options.network === 'isolated' ? 'default' : (options.network ?? 'default'),
    allow: new Set(options.allow ?? []),
    extraHosts: settings.extraHosts,
    shmSize: options.shmSize,
    ulimits: options.ulimits ?? [],
    hostname: buildArgs.get('BUILDKIT_SANDBOX_HOSTNAME') || undefined,
    epoch: undefined,
    undated: false,
  }
}
