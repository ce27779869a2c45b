/** For tests: what reading a Dockerfile costs in all. */
import type { Platform } from '@tsbuild/registry-client'
import { scanDockerfile } from '../dockerfile/scan.ts'
import { completeConfig, serializeConfig } from '../image/config.ts'
import { parseDockerfile } from '../instructions/parse.ts'
import { testWorld } from '../lint/testing.ts'
import { type ImagePlan, planBuild } from '../plan/plan.ts'
import type { PlanWorld } from '../plan/world.ts'
import { SourceFile } from '../source.ts'
import { type IgnoreMatcher, parseIgnore } from '../util/ignore.ts'
import { checkErrorText, checkText } from './check.ts'
import { checkFile } from './check-file.ts'
import { listTargets } from './targets.ts'

const amd64: Platform = { os: 'linux', architecture: 'amd64' }
const digest = `sha256:${'0'.repeat(64)}` as const

const planWorld: PlanWorld = {
  resolveImage: async (name) => ({
    ref: name,
    manifest: { mediaType: 'x', digest, size: 1 },
    layers: [],
    config: {
      ...amd64,
      os: 'linux',
      architecture: 'amd64',
      'os.features': [],
      rootfs: { type: 'layers', diff_ids: [] },
    },
  }),
  checkName: () => {},
  hasNamedContext: () => false,
  namedContext: async () => undefined,
  contextTime: async () => undefined,
  sourceTime: async () => undefined,
}

const options = {
  ...{ target: undefined, platform: amd64, buildPlatform: amd64, implicitPlatform: true, multiPlatform: false },
  ...{ buildArgs: new Map<string, string>(), labels: {}, noCache: new Set<string>(), network: 'default' as const },
  ...{ allow: new Set<string>(), extraHosts: [], shmSize: undefined, ulimits: [], hostname: undefined },
  ...{ epoch: undefined, undated: false },
}

/** Reads, plans and checks a file, prints all that can be printed of it, and serializes its config. */
export async function readWhole(text: string, ignored?: string): Promise<void> {
  const matcher: IgnoreMatcher | undefined = ignored === undefined ? undefined : parseIgnore(ignored)
  const world = testWorld({ ignored: async () => matcher })
  const { report, checked } = await checkFile(new SourceFile('Dockerfile', text), { world })
  JSON.stringify(report.json)
  checkText(report)
  checkErrorText(report)
  if (checked === undefined) return
  listTargets(checked.parsed)
  const { image } = await planText(text).catch(() => ({ image: undefined }))
  if (image === undefined) return
  const times = { layers: [], build: 1, output: 1, now: 1 }
  serializeConfig(completeConfig(image, [], times, []))
}

/** The plan of a Dockerfile whose base images are empty. */
export async function planText(text: string): Promise<ImagePlan> {
  return await planBuild(parseDockerfile(scanDockerfile(new SourceFile('Dockerfile', text))), options, planWorld)
}
