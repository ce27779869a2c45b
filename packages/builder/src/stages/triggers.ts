/** Instructions of a stage with the stages that they need: its own ones, and the ONBUILD triggers that its base brings. */
import { type Dockerfile, locate, type RawInstruction } from '../dockerfile/ast.ts'
import { BuildError } from '../errors.ts'
import { refuseFromVariable } from '../instructions/copy.ts'
import type { InstructionNode, RunNode } from '../instructions/nodes.ts'
import { parseTrigger, triggerFailure } from '../instructions/parse.ts'
import type { StageCommand, StageGraph, StageNode } from './stage-graph.ts'

/** @throws BuildError at the instruction */
export function stageCommand(
  graph: StageGraph,
  dockerfile: Dockerfile,
  node: InstructionNode,
  onbuild = false,
): StageCommand {
  const at = locate(dockerfile, node.raw)
  try {
    if (node.kind === 'COPY' && node.from !== undefined) {
      refuseFromVariable(node, dockerfile)
      return { node, sources: [graph.source(node.from, at)], onbuild }
    }
    if (node.kind === 'RUN') {
      return { node, sources: mountSources(node).map((from) => (from ? graph.source(from, at) : undefined)), onbuild }
    }
  } catch (error) {
    throw error instanceof BuildError ? error.with({ at }) : error
  }
  return { node, sources: [], onbuild }
}

/**
 * The instructions that run first in a stage.
 *
 * @param from the stage's FROM: a trigger has no place of its own in the file
 * @throws BuildError of a trigger that cannot be parsed
 */
export function triggersOf(
  graph: StageGraph,
  dockerfile: Dockerfile,
  stage: StageNode,
  from: RawInstruction,
): StageCommand[] {
  const inFile = stage.base?.commands.flatMap(({ node }) => (node.kind === 'ONBUILD' ? [node.expression] : []))
  const texts = inFile ?? stage.image?.config.config?.OnBuild ?? []
  return texts.map((text) => {
    try {
      return stageCommand(graph, dockerfile, placedAt(from, parseTrigger(text)), true)
    } catch (error) {
      if (!(error instanceof BuildError)) throw error
      throw triggerFailure(error, text, stage.base?.label ?? stage.baseName, locate(dockerfile, from))
    }
  })
}

function placedAt(from: RawInstruction, node: InstructionNode): InstructionNode {
  // One by one: some are read from the text only when they are asked for.
  const { keyword, name, rest, original, form, heredocs, legacy } = node.raw
  const { comments, keywordRange, range } = from
  const placed = <T>(part: T) => ({ ...part, range })
  const [words, flags] = [node.raw.words.map(placed), node.raw.flags.map(placed)]
  const raw = { keyword, name, flags, rest, original, form, words, heredocs, legacy, comments, keywordRange, range }
  return { ...node, raw }
}

/** What `from=` of each mount names, by position; undefined for the main context or nothing. */
function mountSources({ mounts }: RunNode): (string | undefined)[] {
  return mounts.map(({ fields }) => {
    const type = fields.find((f) => f.key === 'type')?.value
    return type === 'tmpfs' ? undefined : fields.find((f) => f.key === 'from')?.value || undefined
  })
}
