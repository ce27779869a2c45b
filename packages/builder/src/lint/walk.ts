/**
 * Goes through the stages as the reference's converter does and reports what the rules find: the file's text, stage names,
 * global arguments, FROM lines, base images, and then each stage's instructions with its variables.
 *
 * What is an error of the build is not reported here but by planning, with its reason; the walk stops at the same place,
 * so that the same findings come before it.
 */
import { type Platform, parsePlatform } from '@tsbuild/registry-client'
import { BuildError } from '../errors.ts'
import type { ExpandedFrom, ResolvedStages } from '../stages/resolve.ts'
import type { StageNode } from '../stages/stage-graph.ts'
import { atPlace } from './at-place.ts'
import type { LintFacts } from './facts.ts'
import { checkFileAsWhole } from './file-checks.ts'
import { checkInstruction, type InstructionScope } from './instruction-checks.ts'
import type { Reporter } from './rule.ts'
import type { IgnoredFiles } from './rules/copy-ignored-file.ts'
import { checkConstantPlatform } from './rules/from-platform-flag-const-disallowed.ts'
import { checkBaseImagePlatform } from './rules/invalid-base-image-platform.ts'
import { checkRedundantPlatform } from './rules/redundant-target-platform.ts'
import { checkUndefinedArgs } from './rules/undefined-arg-in-from.ts'
import { checkSource } from './source-checks.ts'
import { LintStage } from './stage.ts'
import { Suggester } from './suggester.ts'

/**
 * Runs all checks. Never rejects because of the file.
 *
 * @param ignored the context's ignore file, undefined if it has none; asked for if files of the context are copied
 */
export async function lintStages(
  stages: ResolvedStages,
  reporter: Reporter,
  ignored: () => Promise<IgnoredFiles | undefined>,
): Promise<LintFacts> {
  const suggester = new Suggester()
  checkSource(reporter, stages.parsed.dockerfile)
  checkFileAsWhole(reporter, stages)
  const { values, facts: declared } = stages.args
  const names = new Set([...declared.keys(), ...values.keys()])
  const similar = (name: string) => suggester.find(name, names)
  for (const from of stages.froms) checkFrom(reporter, from, names, values.get('TARGETPLATFORM'), similar)
  for (const node of stages.lookedUp) checkBase(reporter, node, stages.options.platform)
  const facts = new Map<StageNode, LintStage>()
  if (stages.failure) return { stages: facts, error: undefined }
  const { nodes, needed, options } = stages
  const checked = nodes.filter((node) => options.allStages || needed.has(node))
  const scope = { reporter, stages, suggester, ignored: checked.some(copiesContext) ? await ignored() : undefined }
  try {
    for (const node of checked) {
      const stage = new LintStage(node, node.base && facts.get(node.base), stages)
      facts.set(node, stage)
      if (!checkStage({ ...scope, stage })) break
    }
    return { stages: facts, error: undefined }
  } catch (error) {
    if (error instanceof BuildError) return { stages: facts, error }
    throw error
  }
}

function checkFrom(
  reporter: Reporter,
  { from, image, platform }: ExpandedFrom,
  declared: ReadonlySet<string>,
  targetPlatform: string | undefined,
  similar: (name: string) => string | undefined,
): void {
  checkUndefinedArgs(reporter, from.raw, image.unset, declared, similar)
  if (platform === undefined) return
  checkUndefinedArgs(reporter, from.raw, platform.unset, declared, similar)
  checkRedundantPlatform(reporter, from.raw, from.platform!, platform, targetPlatform)
  checkConstantPlatform(reporter, from, platform, tryPlatform(platform.value))
}

function checkBase(reporter: Reporter, { image, stage, baseName, platform }: StageNode, built: Platform): void {
  if (image === undefined || stage === undefined || image.config.rootfs.diff_ids.length === 0) return
  checkBaseImagePlatform(reporter, stage.from.raw, baseName, platform ?? built, image.config)
}

/** @returns false if an instruction is in error, which planning reports with its reason */
function checkStage(scope: InstructionScope): boolean {
  const { node } = scope.stage
  if (node.replaced) return true
  return node.commands.every(({ node: instruction }) =>
    atPlace(scope.stages.parsed.dockerfile, instruction.raw, () => checkInstruction(scope, instruction)),
  )
}

function copiesContext({ commands, replaced }: StageNode): boolean {
  return (
    !replaced && commands.some(({ node }) => (node.kind === 'COPY' || node.kind === 'ADD') && node.from === undefined)
  )
}

function tryPlatform(text: string): Platform | undefined {
  try {
    return text === '' ? undefined : parsePlatform(text)
  } catch {
    return undefined
  }
}
