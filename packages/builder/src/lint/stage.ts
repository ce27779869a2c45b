/** A stage while the checks go through it: what its variables are, what it inherits, what it asks for. */
import type { Platform } from '@tsbuild/registry-client'
import type { RawInstruction } from '../dockerfile/ast.ts'
import { EnvList, ImageEnv } from '../graph/env-list.ts'
import type { FromNode, InstructionNode } from '../instructions/nodes.ts'
import { LayeredMap } from '../util/layered-map.ts'
import type { ArgFact, BaseImage, MountFact, StageFacts } from './facts.ts'

/** PATH is in every environment: images without one get a default. */
const impliedNames = ['PATH']

export class LintStage implements StageFacts {
  readonly index: number | undefined
  /** undefined for an image that `--from` names. */
  readonly from: FromNode | undefined
  /** Image or stage after FROM, variables replaced. */
  readonly baseName: string
  base: LintStage | undefined
  platform: Platform | undefined
  /** What runs in the stage: triggers of its base, then its own instructions. */
  instructions: InstructionNode[]
  /** Stages and images that COPY --from and mounts name. */
  readonly sources = new Set<LintStage>()
  image: BaseImage | undefined
  /** A named context takes the place of the stage: its instructions do not count. */
  replaced = false
  resolved = false
  triggersAdded = false

  /** Values of the environment and of arguments, in the order they were set. */
  env = new EnvList()
  /** What its image keeps of the environment: ENV, not ARG. */
  imageEnv = new ImageEnv([])
  /** The base image's environment is not known: names that it may define are not reported. */
  envUnknown = false
  /** ARGs so far, also those without value. */
  declared = new LayeredMap<true>()
  workdirSet = false
  shell: readonly string[] | undefined

  readonly ownArgs = new Map<string, ArgFact>()
  readonly usedArgs = new Set<string>()
  readonly secrets = new Map<string, MountFact>()
  readonly ssh = new Map<string, MountFact>()
  readonly #last = new Map<string, RawInstruction>()

  constructor(init: { index?: number; from?: FromNode; baseName: string; instructions?: readonly InstructionNode[] }) {
    this.index = init.index
    this.from = init.from
    this.baseName = init.baseName
    this.instructions = [...(init.instructions ?? [])]
  }

  get scratch(): boolean {
    return this.base === undefined && this.baseName === 'scratch' && !this.replaced
  }

  get needs(): readonly LintStage[] {
    return this.base ? [this.base, ...this.sources] : [...this.sources]
  }

  /** Takes over what the base leaves, before the stage's instructions are looked at. */
  inherit(): void {
    const { base } = this
    if (base) {
      this.env = new EnvList([], base.env, base.imageEnv)
      this.imageEnv = new ImageEnv(base.imageEnv)
      this.envUnknown = base.envUnknown
      this.declared = new LayeredMap(base.declared)
      this.workdirSet = base.workdirSet
      this.shell = base.shell
      this.platform = base.platform
      this.image = base.image
      return
    }
    const image = new ImageEnv(this.image?.config?.Env ?? [])
    this.env = new EnvList([], undefined, image)
    this.imageEnv = new ImageEnv(image)
    for (const name of impliedNames) if (!this.env.has(name)) this.setEnv(name, '')
    this.shell = this.image?.config?.Shell
    this.envUnknown = this.image === undefined && this.baseName !== 'scratch'
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

/** The stages of a file, by name and by number. */
export class LintStages {
  readonly all: LintStage[] = []
  readonly #byName = new Map<string, LintStage>()

  /** Adds a stage. Its base is the latest stage above of exactly that name. */
  add(stage: LintStage): void {
    this.all.push(stage)
    const base = this.#byName.get(stage.baseName)
    if (base) stage.base = base
    const name = stage.from?.stageName
    if (name !== undefined) this.#byName.set(name, stage)
  }

  /** By name, in any case. */
  find(name: string): LintStage | undefined {
    return this.#byName.get(name.toLowerCase())
  }

  /** What `--from=` stands for: a number, a stage, or an image. undefined for a number that no stage has. */
  source(from: string): LintStage | undefined {
    if (/^[0-9]+$/.test(from)) return this.all[Number(from)]
    const found = this.find(from)
    if (found) return found
    const image = new LintStage({ baseName: from })
    this.add(image)
    return image
  }

  /** A stage and all that it needs. */
  reachable(target: LintStage): Set<LintStage> {
    const found = new Set<LintStage>()
    const queue = [target]
    for (let stage = queue.pop(); stage !== undefined; stage = queue.pop()) {
      if (found.has(stage)) continue
      found.add(stage)
      for (const needed of stage.needs) queue.push(needed)
    }
    return found
  }
}
