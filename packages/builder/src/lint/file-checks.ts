/** Checks of the parsed file as a whole: stage names, casing of keywords, defaults of global arguments. */
import { parseReference } from '@tsbuild/registry-client'
import { BuildError } from '../errors.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import { globalArgs, predefinedArgs } from '../stages/args.ts'
import type { ResolvedStages } from '../stages/resolve.ts'
import type { Reporter } from './rule.ts'
import { checkInstructionCasing } from './rules/consistent-instruction-casing.ts'
import { checkDuplicateStageName } from './rules/duplicate-stage-name.ts'
import { checkDefaultBase } from './rules/invalid-default-arg-in-from.ts'
import { checkReservedStageName } from './rules/reserved-stage-name.ts'

export function checkFileAsWhole(reporter: Reporter, stages: ResolvedStages): void {
  const { parsed } = stages
  checkStageNames(reporter, parsed)
  const instructions = parsed.stages.flatMap(({ from, instructions: nodes }) => [from.raw, ...nodes.map((n) => n.raw)])
  checkInstructionCasing(reporter, instructions)
  checkDefaults(reporter, stages)
}

function checkStageNames(reporter: Reporter, { stages }: ParsedDockerfile): void {
  const names = new Set<string>()
  for (const stage of stages) {
    checkReservedStageName(reporter, stage)
    checkDuplicateStageName(reporter, stage, names)
    if (stage.from.stageName !== undefined) names.add(stage.from.stageName)
  }
}

/** Would the file do without --build-arg? */
function checkDefaults(reporter: Reporter, { parsed, options, expander }: ResolvedStages): void {
  try {
    const { values } = globalArgs(parsed, predefinedArgs(parsed, options), new Map(), expander)
    for (const { from } of parsed.stages) {
      checkDefaultBase(reporter, from, isImageName(expander.word(from.image, values, from.raw)))
    }
  } catch (error) {
    // The same error comes up again where it counts.
    if (!(error instanceof BuildError)) throw error
  }
}

function isImageName(text: string): boolean {
  try {
    parseReference(text)
    return true
  } catch {
    return false
  }
}
