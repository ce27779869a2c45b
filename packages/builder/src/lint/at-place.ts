/** Errors of expansions get the place of their instruction; variables of a file are replaced with its escape character. */
import { type Dockerfile, locate, type RawInstruction } from '../dockerfile/ast.ts'
import { type Expansion, expandWord, type Variables } from '../dockerfile/expand.ts'
import { BuildError } from '../errors.ts'

/** Runs the work; a BuildError of it without a place gets that of the instruction. */
export function atPlace<T>(dockerfile: Dockerfile, instruction: RawInstruction, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw error instanceof BuildError ? error.with({ at: locate(dockerfile, instruction) }) : error
  }
}

/** @throws BuildError placed at the instruction */
export function expandAt(
  dockerfile: Dockerfile,
  instruction: RawInstruction,
  text: string,
  variables: Variables,
): Expansion {
  return atPlace(dockerfile, instruction, () => expandWord(text, variables, dockerfile.escape))
}
