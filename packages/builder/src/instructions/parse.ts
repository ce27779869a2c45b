/** From scanned instructions to typed ones: stages, global ARGs, triggers of ONBUILD. */
import type { Dockerfile, RawInstruction } from '../dockerfile/ast.ts'
import { scanInstructions } from '../dockerfile/scan.ts'
import { BuildError } from '../errors.ts'
import { type Location, SourceFile } from '../source.ts'
import type { ParseContext } from './definition.ts'
import { instructionErrors } from './errors.ts'
import { findInstruction, keywords } from './index.ts'
import type { ArgNode, FromNode, InstructionNode, ParsedDockerfile, Stage } from './nodes.ts'

/**
 * Parses a scanned file.
 *
 * @throws the first error of an instruction, at the instruction or narrower; `dockerfile parse error on line N: …` as
 *   in the reference
 */
export function parseDockerfile(dockerfile: Dockerfile): ParsedDockerfile {
  const context = { file: dockerfile.source, escape: dockerfile.escape }
  const globalArgs: ArgNode[] = []
  const stages: (Stage & { readonly instructions: InstructionNode[] })[] = []
  for (const raw of dockerfile.instructions) {
    const node = parseOfFile(raw, context)
    const stage = stages.at(-1)
    if (node.kind === 'FROM') stages.push({ index: stages.length, from: node, instructions: [] })
    else if (stage) stage.instructions.push(node)
    else if (node.kind === 'ARG') globalArgs.push(node)
    else throw instructionErrors.noStage([raw.name], { at: { file: dockerfile.source, range: raw.range } })
  }
  return { dockerfile, globalArgs, stages }
}

/** A node that can stand in a stage. */
export type StageInstruction = Exclude<InstructionNode, FromNode>

/**
 * Parses the text of an ONBUILD trigger, as it stands in the config of an image: one instruction, heredocs below it.
 *
 * @throws the errors of the scanner and of the instruction; their places refer to the text of the trigger
 */
export function parseTrigger(text: string): StageInstruction {
  const file = new SourceFile('ONBUILD', text)
  const context: ParseContext = { file, escape: '\\' }
  const [raw, ...more] = scanInstructions(file, context.escape)
  if (raw === undefined || more.length > 0) throw instructionErrors.triggerNotSingle([])
  const definition = findInstruction(raw.name)
  if (definition && !definition.onbuild) {
    throw definition.keyword === 'ONBUILD'
      ? instructionErrors.onbuildChained([])
      : instructionErrors.onbuildTrigger([definition.keyword])
  }
  return parseInstruction(raw, context) as StageInstruction
}

/**
 * An error of a trigger as that of the image that has it: its place in the trigger says nothing to the reader.
 *
 * @param at the FROM that the trigger came with
 */
export function triggerFailure(error: BuildError, text: string, image: string, at?: Location): BuildError {
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
  const message = `${image} has an ONBUILD trigger that cannot be used, ${shown}: ${error.message}`
  return new BuildError(error.code, message, { at, hint: error.hint, cause: error.cause ?? error })
}

/**
 * Parses one instruction.
 *
 * @throws its error, placed at the instruction or narrower
 */
function parseInstruction(raw: RawInstruction, context: ParseContext): InstructionNode {
  const definition = findInstruction(raw.name)
  try {
    if (definition === undefined) {
      throw instructionErrors.unknownInstruction([raw.keyword, keywords], {
        at: { file: context.file, range: raw.keywordRange },
      })
    }
    return definition.parse(raw, context)
  } catch (error) {
    if (!(error instanceof BuildError)) throw error
    throw error.with({ at: { file: context.file, range: raw.range } })
  }
}

function parseOfFile(raw: RawInstruction, context: ParseContext): InstructionNode {
  try {
    return parseInstruction(raw, context)
  } catch (error) {
    if (!(error instanceof BuildError)) throw error
    const message = `dockerfile parse error on line ${raw.range.start.line}: ${error.message}`
    throw new BuildError(error.code, message, error)
  }
}
