/** For tests: what reading a Dockerfile costs in all. */
import { completeConfig, serializeConfig } from '../image/config.ts'
import { type ImagePlan, planBuild } from '../plan/plan.ts'
import { testPlanOptions } from '../plan/testing.ts'
import { SourceFile } from '../source.ts'
import { parseText, plainImage, resolveIn, testWorld } from '../stages/testing.ts'
import { type IgnoreMatcher, parseIgnore } from '../util/ignore.ts'
import { checkErrorText, checkText } from './check.ts'
import { checkFile } from './check-file.ts'
import { listTargets } from './targets.ts'
import { checkWorld } from './testing.ts'

/** Reads, plans and checks a file, prints all that can be printed of it, and serializes its config. */
export async function readWhole(text: string, ignored?: string): Promise<void> {
  const matcher: IgnoreMatcher | undefined = ignored === undefined ? undefined : parseIgnore(ignored)
  const world = checkWorld({ ignored: async () => matcher })
  const { report, stages } = await checkFile(new SourceFile('Dockerfile', text), world)
  JSON.stringify(report.json)
  checkText(report)
  checkErrorText(report)
  if (stages === undefined) return
  listTargets(stages.parsed)
  const { image } = await planText(text).catch(() => ({ image: undefined }))
  if (image === undefined) return
  const times = { layers: [], build: 1, output: 1, now: 1 }
  serializeConfig(completeConfig(image, [], times, []))
}

/** The plan of a Dockerfile whose base images are empty. */
export async function planText(text: string): Promise<ImagePlan> {
  const image = { ...plainImage, config: {}, rootfs: { type: 'layers' as const, diff_ids: [] } }
  const world = testWorld({ allStages: false, resolveImage: async () => image })
  return planBuild(await resolveIn(world, parseText(text)), testPlanOptions())
}
