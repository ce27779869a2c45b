/** Errors of expansions get the place of their instruction. */
import { type Dockerfile, locate, type RawInstruction } from '../dockerfile/ast.ts'
import { BuildError } from '../errors.ts'

/** Runs the work; a BuildError of it without a place gets that of the instruction. */
export function atPlace<T>(dockerfile: Dockerfile, instruction: RawInstruction, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw error instanceof BuildError ? error.with({ at: locate(dockerfile, instruction) }) : error
  }
}
