/** What the functions of plan/instructions/ get beside the stage: options of the build, names for progress, sources. */
import type { EnvList } from '../graph/env-list.ts'
import type { ContextStep, RunStep, SourceStep } from '../graph/step.ts'
import type { InstructionNode } from '../instructions/nodes.ts'
import type { Location } from '../source.ts'

/** What a RUN is executed with unless its flags say otherwise. */
type RunDefaults = Pick<RunStep, 'network' | 'extraHosts' | 'shmSize' | 'ulimits' | 'hostname'>

/** What is known of sources beforehand, from a lock file. Asked for those that do not say it themselves. */
export interface SourcePins {
  /** The checksum of what a URL gives. @throws BuildError when it must be known and is not */
  http(url: string, at: Location | undefined): string | undefined
  /** The commit that a ref leads to. @throws BuildError as {@link http} */
  git(url: string, ref: string | undefined, at: Location | undefined): string | undefined
}

/** Options that every stage of one plan shares. */
export interface PlanOptions extends RunDefaults {
  readonly pins: SourcePins | undefined
  /** No --platform was given: the base image's own platform wins. */
  readonly implicitPlatform: boolean
  /** Several platforms are built: step names carry theirs. */
  readonly multiPlatform: boolean
  readonly labels: Readonly<Record<string, string>>
  /** true: no step comes from the cache; else the (lower case) names of stages whose steps do not. */
  readonly noCache: true | ReadonlySet<string>
  readonly allow: ReadonlySet<string>
  /** The SOURCE_DATE_EPOCH that the file itself sets is an argument like any other: it sets no times. */
  readonly undated: boolean
}

/** One instruction on its way into the graph. */
export interface InstructionContext {
  readonly options: PlanOptions
  readonly buildArgs: ReadonlyMap<string, string>
  readonly globalArgs: EnvList
  readonly proxyEnv: readonly string[]
  /** SOURCE_DATE_EPOCH of the image, seconds. */
  readonly epoch: number | undefined
  readonly at: Location
  readonly noCache: boolean
  /** The main build context. */
  readonly context: ContextStep
  /** What `--from` (COPY) or the mounts' `from` (RUN, by position) stand for; undefined entries mean the main context. */
  readonly sources: readonly (SourceStep | 'scratch' | undefined)[]
  /** How many ports EXPOSE may still list in this plan. */
  readonly portBudget: { left: number }
  /** Adds `[stage n/m]` to a step's name and counts it. */
  stepName(text: string): string
}

/** Plans one kind of instruction. */
export type InstructionPlanner<N extends InstructionNode> = (
  node: N,
  stage: import('./stage-state.ts').StageState,
  context: InstructionContext,
) => void
