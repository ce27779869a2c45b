/** ONBUILD triggers that a base brings into a stage. */
import type { RawInstruction } from '../dockerfile/ast.ts'
import { BuildError } from '../errors.ts'
import type { InstructionNode } from '../instructions/nodes.ts'
import { parseTrigger, triggerFailure } from '../instructions/parse.ts'
import type { LintStage } from './stage.ts'

/**
 * The instructions that run first in a stage.
 *
 * @param from the stage's FROM: a trigger has no place of its own in the file, so findings are shown there
 * @throws BuildError of a trigger that cannot be parsed
 */
export function triggersOf(stage: LintStage, from: RawInstruction): InstructionNode[] {
  const inFile = stage.base?.instructions.flatMap((node) => (node.kind === 'ONBUILD' ? [node.expression] : []))
  const texts = inFile ?? stage.image?.config?.OnBuild ?? []
  return texts.map((text) => {
    try {
      return placedAt(from, parseTrigger(text))
    } catch (error) {
      throw error instanceof BuildError ? triggerFailure(error, text, stage.baseName) : error
    }
  })
}

function placedAt(from: RawInstruction, node: InstructionNode): InstructionNode {
  const { keyword, name, flags, rest, original, form, words, heredocs, legacy } = node.raw
  const { comments, keywordRange, range } = from
  const raw = { keyword, name, flags, rest, original, form, words, heredocs, legacy, comments, keywordRange, range }
  return { ...node, raw }
}

/** The stages and images that an instruction takes files from, as written. */
export function sourceNames(node: InstructionNode): string[] {
  if (node.kind === 'COPY') return node.from === undefined ? [] : [node.from]
  if (node.kind !== 'RUN') return []
  return node.mounts.flatMap(({ fields }) => {
    const from = fields.find((field) => field.key.toLowerCase() === 'from')?.value
    return from ? [from] : []
  })
}
