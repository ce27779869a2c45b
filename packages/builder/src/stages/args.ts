/** Arguments that count in FROM lines: the predefined ones and the ARGs above the first FROM. */
import { formatPlatform, type Platform } from '@tsbuild/registry-client'
import type { RawInstruction } from '../dockerfile/ast.ts'
import { EnvList } from '../graph/env-list.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import type { Expander } from './expander.ts'
import type { StageOptions } from './world.ts'

/** An ARG as `--call=outline` shows it. */
export interface ArgFact {
  readonly name: string
  /** '' if it has none. */
  readonly value: string
  readonly at: RawInstruction
  /** Names of arguments that its default uses. */
  readonly uses: ReadonlySet<string>
}

export interface GlobalArgs {
  readonly values: EnvList
  /** The file's own, also those without value. */
  readonly facts: ReadonlyMap<string, ArgFact>
}

/** Arguments that are there without the file: those of the platforms and of the target. `--build-arg` overrides each. */
export function predefinedArgs({ stages }: ParsedDockerfile, options: StageOptions): EnvList {
  const { buildPlatform, platform, buildArgs, target } = options
  const entries = [
    ...platformEntries('BUILD', buildPlatform),
    ...platformEntries('TARGET', platform),
    ['TARGETSTAGE', target || stages.at(-1)?.from.stageName || 'default'] as const,
  ]
  return new EnvList(entries.map(([name, value]) => [name, buildArgs.get(name) ?? value]))
}

function platformEntries(prefix: 'BUILD' | 'TARGET', platform: Platform): (readonly [string, string])[] {
  return [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}OSVERSION`, platform['os.version'] ?? ''],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant ?? ''],
  ]
}

/**
 * The predefined arguments and the ARGs above the first FROM; `--build-arg` wins over their defaults.
 *
 * @throws BuildError of an expansion, at its ARG
 */
export function globalArgs(
  { globalArgs: nodes }: ParsedDockerfile,
  predefined: EnvList,
  buildArgs: ReadonlyMap<string, string>,
  expander: Expander,
): GlobalArgs {
  const values = predefined.clone()
  const facts = new Map<string, ArgFact>()
  for (const { args, raw } of nodes) {
    for (const { key, value: fallback } of args) {
      const given = buildArgs.get(key)
      const useDefault = given === undefined && fallback !== undefined
      const expansion = useDefault ? expander.expansion(fallback, values, raw) : undefined
      const value = given ?? expansion?.value
      if (value !== undefined) values.set(key, value)
      facts.set(key, { name: key, value: value ?? '', at: raw, uses: expansion?.used ?? new Set() })
    }
  }
  return { values, facts }
}
