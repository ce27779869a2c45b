/** What the checks find out about the stages on their way, beside their findings. */
import type { RawInstruction } from '../dockerfile/ast.ts'
import type { BuildError } from '../errors.ts'
import type { ArgFact } from '../stages/args.ts'
import type { StageNode } from '../stages/stage-graph.ts'

/** A secret or an ssh agent that a RUN asks for. */
export interface MountFact {
  readonly id: string
  readonly required: boolean
  readonly at: RawInstruction
}

/** What a stage asks for. */
export interface StageFacts {
  /** Arguments that ARG instructions of the stage define; not those that take over a global one. */
  readonly ownArgs: ReadonlyMap<string, ArgFact>
  /** Names of arguments that its FROM line or its ARG instructions use. */
  readonly usedArgs: ReadonlySet<string>
  /** By id. */
  readonly secrets: ReadonlyMap<string, MountFact>
  readonly ssh: ReadonlyMap<string, MountFact>
}

/** What came of the checks. */
export interface LintFacts {
  /** Of the stages that were looked at. */
  readonly stages: ReadonlyMap<StageNode, StageFacts>
  /** Why the checks stopped; undefined if they did not, or if the stages' failure or planning says why. */
  readonly error: BuildError | undefined
}
