/** Arguments that count in FROM lines: the predefined ones and the ARGs above the first FROM. */

import { predefinedEntries } from '../graph/predefined-args.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import { expandAt } from './at-place.ts'
import type { ArgFact, LintWorld } from './facts.ts'

export interface GlobalArgs {
  readonly values: ReadonlyMap<string, string>
  /** The file's own, also those without value. */
  readonly facts: ReadonlyMap<string, ArgFact>
  /** All names, with or without value. */
  readonly names: ReadonlySet<string>
}

/** Platforms and target; `--build-arg` overrides each of them. */
export function predefinedArgs(parsed: ParsedDockerfile, world: LintWorld): ReadonlyMap<string, string> {
  const { platform, buildPlatform, target, buildArgs } = world
  const targetStage = target || parsed.stages.at(-1)?.from.stageName || ''
  return new Map(predefinedEntries({ build: buildPlatform, target: platform, targetStage }, buildArgs))
}

/**
 * Adds the ARGs above the first FROM.
 *
 * @throws BuildError of an expansion, at its ARG
 */
export function globalArgs(
  { dockerfile, globalArgs: nodes }: ParsedDockerfile,
  predefined: ReadonlyMap<string, string>,
  buildArgs: ReadonlyMap<string, string>,
): GlobalArgs {
  const values = new Map(predefined)
  const facts = new Map<string, ArgFact>()
  for (const { args, raw } of nodes) {
    for (const { key, value: fallback } of args) {
      const given = buildArgs.get(key)
      const useDefault = given === undefined && fallback !== undefined
      const expansion = useDefault ? expandAt(dockerfile, raw, fallback, values) : undefined
      const value = given ?? expansion?.value
      if (value !== undefined) values.set(key, value)
      facts.set(key, { name: key, value: value ?? '', at: raw, uses: expansion?.used ?? new Set() })
    }
  }
  return { values, facts, names: new Set([...facts.keys(), ...values.keys()]) }
}
