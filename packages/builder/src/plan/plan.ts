/** From the stages of a Dockerfile to a build graph for one platform: the instructions of each stage that is needed. */
import { normalizePlatform, type Platform } from '@tsbuild/registry-client'
import { locate } from '../dockerfile/ast.ts'
import { BuildError } from '../errors.ts'
import { plainCopy } from '../graph/file-op.ts'
import type { ImageConfig } from '../graph/image-config.ts'
import type { ContextStep, FileStep, RootfsStep, SourceStep } from '../graph/step.ts'
import type { InstructionNode } from '../instructions/nodes.ts'
import type { ResolvedStages } from '../stages/resolve.ts'
import type { StageNode } from '../stages/stage-graph.ts'
import type { ResolvedImage } from '../stages/world.ts'
import type { InstructionContext, PlanOptions } from './context.ts'
import { planErrors } from './errors.ts'
import { MAX_PORTS } from './instructions/expose.ts'
import { planInstruction } from './instructions/index.ts'
import { emptyImage, setPlatform } from './platform-image.ts'
import { proxyEnvironment } from './proxy.ts'
import { StageState } from './stage-state.ts'
import { contextStep, stepNamer } from './step-names.ts'

/** The image of one platform, ready to be solved and assembled. */
export interface ImagePlan {
  readonly platform: Platform
  /** The root filesystem; undefined for an image without layers. */
  readonly rootfs: RootfsStep | undefined
  /** Config and history; `rootfs.diff_ids` and times are filled in when the layers are there. */
  readonly image: ImageConfig
  /** SOURCE_DATE_EPOCH of this build, seconds. */
  readonly epoch: number | undefined
}

/** Plans the build of the stages' target. @throws BuildError why they cannot be built */
export function planBuild(stages: ResolvedStages, options: PlanOptions): ImagePlan {
  if (stages.failure) throw stages.failure
  return new Planner(stages, options).plan()
}

class Planner {
  readonly #stages: ResolvedStages
  readonly #options: PlanOptions
  readonly #epoch: number | undefined
  readonly #portBudget = { left: MAX_PORTS }
  /** What the stages became. */
  readonly #planned = new Map<StageNode, StageState>()

  constructor(stages: ResolvedStages, options: PlanOptions) {
    this.#stages = stages
    this.#options = options
    // What the command line says, the reference keeps whatever the output says.
    const undated = options.undated && !stages.options.buildArgs.has('SOURCE_DATE_EPOCH')
    this.#epoch = undated ? undefined : stages.epoch
  }

  plan(): ImagePlan {
    const { nodes, needed, target } = this.#stages
    for (const node of nodes) if (node.stage !== undefined && needed.has(node)) this.#planStage(node)
    return this.#finish(this.#planned.get(target!)!)
  }

  #initialState(node: StageNode): StageState {
    const { expander, options } = this.#stages
    if (node.base) {
      const base = this.#planned.get(node.base)
      if (!base) throw planErrors.laterStage([node.base.label, node.label])
      return base.next()
    }
    const wanted = node.platform ?? options.platform
    const { origin, image } = node
    if (image === undefined) {
      const isScratch = origin?.kind === 'scratch'
      const base = emptyImage(isScratch && node.baseName === 'scratch' ? options.platform : wanted)
      const rootfs = origin?.kind === 'tree' ? this.#treeRootfs(origin.context, node) : undefined
      return StageState.of(base, { platform: isScratch ? options.platform : wanted, expander, rootfs })
    }
    const { created: _, ...config } = image.config
    const rootfs = image.layers.length === 0 ? undefined : this.#imageRootfs(image, wanted, node)
    return StageState.of(config, { platform: wanted, expander, rootfs })
  }

  #imageRootfs({ ref, manifest, layers }: ResolvedImage, platform: Platform, node: StageNode): RootfsStep {
    return { kind: 'image', name: `FROM ${ref}`, at: node.at, noCache: false, ref, platform, manifest, layers }
  }

  /** A directory used as a base image: its files are the first layer. */
  #treeRootfs(context: string, node: StageNode): FileStep {
    const from: ContextStep = contextStep(context)
    return {
      kind: 'file',
      name: `[context ${context}] load from client`,
      at: node.at,
      noCache: false,
      parent: undefined,
      link: false,
      ops: [
        {
          op: plainCopy('/', '/'),
          from,
        },
      ],
    }
  }

  #planStage(node: StageNode): void {
    const stage = this.#initialState(node)
    const { parsed, args, options } = this.#stages
    const { buildArgs } = options
    const proxyEnv = proxyEnvironment(buildArgs)
    const noCache = this.#options.noCache === true || this.#options.noCache.has(node.name)
    const name = stepNamer(node, stage, this.#options)
    if (stage.rootfs?.kind === 'image' && !node.base)
      stage.rootfs = { ...stage.rootfs, name: name(stage.rootfs.name, false) }
    for (const command of node.replaced ? [] : node.commands) {
      const at = locate(parsed.dockerfile, command.node.raw)
      const context = (): InstructionContext => ({
        options: this.#options,
        buildArgs,
        globalArgs: args.values,
        epoch: this.#epoch,
        proxyEnv,
        at,
        noCache,
        context: contextStep('context'),
        portBudget: this.#portBudget,
        sources: command.sources.map((source, i) => source && this.#sourceStep(source, node, command.node, i)),
        stepName: (text) => name(text, command.onbuild),
      })
      try {
        planInstruction(command.node, stage, context())
      } catch (error) {
        throw error instanceof BuildError ? error.with({ at }) : error
      }
    }
    this.#planned.set(node, stage)
  }

  #sourceStep(source: StageNode, user: StageNode, by: InstructionNode, index: number): SourceStep | 'scratch' {
    if (source.stage === undefined || source.replaced) {
      if (source.origin?.kind === 'tree') return contextStep(source.origin.context)
      return this.#initialState(source).rootfs ?? 'scratch'
    }
    const planned = this.#planned.get(source)
    if (!planned) throw usedTooEarly(source, user, by, index)
    return planned.rootfs ?? 'scratch'
  }

  #finish(state: StageState): ImagePlan {
    const { platform } = this.#stages.options
    for (const [name, value] of Object.entries(this.#options.labels)) state.labels.set(name, value)
    const image = state.toImage()
    if (!this.#options.implicitPlatform) setPlatform(image, platform)
    const normal = normalizePlatform({
      os: image.os,
      architecture: image.architecture,
      ...(image.variant && { variant: image.variant }),
    })
    image.os = normal.os
    image.architecture = normal.architecture
    if (normal.variant) image.variant = normal.variant
    else delete image.variant
    return { platform, rootfs: state.rootfs, image, epoch: this.#epoch }
  }
}

/** The error of an instruction that takes files from a stage below it. */
function usedTooEarly(source: StageNode, user: StageNode, by: InstructionNode, index: number): BuildError {
  if (by.kind !== 'RUN') return planErrors.laterStage([(by.kind === 'COPY' && by.from) || source.label, user.label])
  const value = (...keys: string[]) => by.mounts[index]?.fields.find(({ key }) => keys.includes(key))?.value ?? ''
  return planErrors.laterStageMounted([value('from'), value('target', 'dst', 'destination')])
}
