/** A stage while the checks go through it: what its variables are, what it inherits, what it asks for. */
import type { RawInstruction } from '../dockerfile/ast.ts'
import { EnvList, ImageEnv } from '../graph/env-list.ts'
import type { ArgFact } from '../stages/args.ts'
import type { ResolvedStages } from '../stages/resolve.ts'
import type { StageNode } from '../stages/stage-graph.ts'
import { LayeredMap } from '../util/layered-map.ts'
import type { MountFact, StageFacts } from './facts.ts'

/** PATH is in every environment: images without one get a default. */
const impliedNames = ['PATH']

export class LintStage implements StageFacts {
  readonly node: StageNode
  /** Of the operating system. */
  readonly os: string
  /** Values of the environment and of arguments, in the order they were set. */
  readonly env: EnvList
  /** What its image keeps of the environment: ENV, not ARG. */
  readonly imageEnv: ImageEnv
  /** ARGs so far, also those without value. */
  readonly declared: LayeredMap<true>
  workdirSet: boolean
  shell: readonly string[] | undefined

  readonly ownArgs = new Map<string, ArgFact>()
  readonly usedArgs: Set<string>
  readonly secrets = new Map<string, MountFact>()
  readonly ssh = new Map<string, MountFact>()
  readonly #last = new Map<string, RawInstruction>()

  /** @param base the stage it is on top of, which must not change any more */
  constructor(node: StageNode, base: LintStage | undefined, { options, froms }: ResolvedStages) {
    const config = node.image?.config.config
    const from = node.stage && froms[node.stage.index]
    const env = base?.imageEnv ?? new ImageEnv(config?.Env ?? [])
    this.node = node
    this.os = base?.os ?? (node.platform ?? options.platform).os
    this.env = new EnvList([], base?.env, env)
    this.imageEnv = new ImageEnv(env)
    this.declared = new LayeredMap(base?.declared)
    this.workdirSet = base?.workdirSet ?? false
    this.shell = base ? base.shell : config?.Shell
    this.usedArgs = new Set([...(from?.image.used ?? []), ...(from?.platform?.used ?? [])])
    if (base === undefined) for (const name of impliedNames) if (!this.env.has(name)) this.setEnv(name, '')
  }

  /** ENV: ARG changes {@link env} alone. */
  setEnv(name: string, value: string): void {
    this.env.set(name, value)
    this.imageEnv.set(name, value)
  }

  /** Remembers the instruction as the last of its kind; gives the one before it. */
  replaces(kind: 'CMD' | 'ENTRYPOINT' | 'HEALTHCHECK', instruction: RawInstruction): RawInstruction | undefined {
    const previous = this.#last.get(kind)
    this.#last.set(kind, instruction)
    return previous
  }
}
