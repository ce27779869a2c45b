/** Arguments that are there before the first line of a Dockerfile: those of the platforms and of the target. */
import { formatPlatform, type Platform } from '@tsbuild/registry-client'

/** Values the predefined arguments get. */
export interface PlatformArgs {
  readonly build: Platform
  readonly target: Platform
  /** Value of TARGETSTAGE: the requested target, else the name of the last stage, else `default`. */
  readonly targetStage: string
}

/** The predefined global arguments; `--build-arg` overrides each of them. */
export function predefinedEntries(
  { build, target, targetStage }: PlatformArgs,
  buildArgs: ReadonlyMap<string, string>,
): [name: string, value: string][] {
  const entries = [...platformEntries('BUILD', build), ...platformEntries('TARGET', target)]
  entries.push(['TARGETSTAGE', targetStage || 'default'])
  return entries.map(([name, value]) => [name, buildArgs.get(name) ?? value])
}

function platformEntries(prefix: 'BUILD' | 'TARGET', platform: Platform): [string, string][] {
  return [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}OSVERSION`, platform['os.version'] ?? ''],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant ?? ''],
  ]
}
