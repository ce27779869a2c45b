/** For tests: stages in a world of few images. */
import type { Platform } from '@tsbuild/registry-client'
import { scanDockerfile } from '../dockerfile/scan.ts'
import type { ImageConfig } from '../graph/image-config.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import { parseDockerfile } from '../instructions/parse.ts'
import { type Location, SourceFile } from '../source.ts'
import type { IgnoreMatcher } from '../util/ignore.ts'
import { type ResolvedStages, resolveStages } from './resolve.ts'
import type { NamedContext, ResolvedImage, StageOptions, StageWorld } from './world.ts'

export const amd64: Platform = { os: 'linux', architecture: 'amd64' }

const digest = `sha256:${'0'.repeat(64)}` as const

/** An image of Linux on amd64 with nothing set but PATH. */
export const plainImage: ImageConfig = {
  os: 'linux',
  architecture: 'amd64',
  config: { Env: ['PATH=/usr/bin:/bin'] },
  rootfs: { type: 'layers', diff_ids: [digest] },
}

/** An image with a layer for each of its config's. */
export function testImage(name: string, config: ImageConfig): ResolvedImage {
  const descriptor = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: 1 }
  const layers = config.rootfs.diff_ids.map((diffID) => ({ descriptor, diffID }))
  return { ref: `docker.io/library/${name}@${digest}`, manifest: descriptor, layers, config }
}

export interface TestWorld extends StageOptions {
  readonly resolveImage: (name: string, platform: Platform, at: Location) => Promise<ImageConfig>
  readonly namedContext: (name: string) => NamedContext | undefined
  readonly sourceTime: StageWorld['sourceTime']
  readonly checkName: StageWorld['checkName']
  readonly ignored: () => Promise<IgnoreMatcher | undefined>
  readonly signal: AbortSignal | undefined
}

/** All stages on linux/amd64, where every image is {@link plainImage}. */
export function testWorld(overrides: Partial<TestWorld> = {}): TestWorld {
  return {
    target: undefined,
    platform: amd64,
    buildPlatform: amd64,
    buildArgs: new Map(),
    allStages: overrides.target === undefined,
    resolveImage: async () => plainImage,
    namedContext: () => undefined,
    sourceTime: async () => undefined,
    checkName: () => {},
    ignored: async () => undefined,
    signal: undefined,
    ...overrides,
  }
}

export async function resolveIn(world: TestWorld, parsed: ParsedDockerfile): Promise<ResolvedStages> {
  const { namedContext, checkName, sourceTime } = world
  const answers: StageWorld = {
    checkName,
    resolveImage: async (name, platform, at) => testImage(name, await world.resolveImage(name, platform, at)),
    hasNamedContext: (name) => namedContext(name) !== undefined,
    namedContext: async (name) => namedContext(name),
    contextTime: async () => undefined,
    sourceTime,
  }
  return await resolveStages(parsed, world, answers, world.signal)
}

export function parseText(text: string): ParsedDockerfile {
  return parseDockerfile(scanDockerfile(new SourceFile('Dockerfile', text)))
}
