/**
 * From a parsed Dockerfile to a build graph for one platform.
 *
 * The order is the reference's (dockerfile2llb): global arguments, stages and their bases, the target, dependencies,
 * base images of what is needed, ONBUILD triggers (which may need more), then each needed stage's instructions.
 */
import { normalizePlatform, type Platform } from '@tsbuild/registry-client'
import { locate } from '../dockerfile/ast.ts'
import { suggest } from '../dockerfile/suggest.ts'
import { BuildError, throwIfAborted } from '../errors.ts'
import type { EnvList } from '../graph/env-list.ts'
import { plainCopy } from '../graph/file-op.ts'
import type { ImageConfig } from '../graph/image-config.ts'
import type { ContextStep, FileStep, RootfsStep, SourceStep } from '../graph/step.ts'
import { refuseFromVariable } from '../instructions/copy.ts'
import type { InstructionNode, ParsedDockerfile } from '../instructions/nodes.ts'
import { parseTrigger, triggerFailure } from '../instructions/parse.ts'
import type { Location } from '../source.ts'
import { addGlobalArgs, predefinedArgs, proxyEnvironment } from './build-args.ts'
import type { InstructionContext, PlanOptions } from './context.ts'
import { planErrors } from './errors.ts'
import { Expander } from './expander.ts'
import { MAX_PORTS } from './instructions/expose.ts'
import { planInstruction } from './instructions/index.ts'
import { mountSources } from './instructions/run.ts'
import { parsePlatformValue } from './platform.ts'
import { emptyImage, setPlatform } from './platform-image.ts'
import { datedSource } from './source-date-epoch.ts'
import { type StageCommand, StageGraph, StageNode } from './stage-graph.ts'
import { StageState } from './stage-state.ts'
import { contextStep, stepNamer } from './step-names.ts'
import type { PlanWorld, ResolvedImage } from './world.ts'

/** The image of one platform, ready to be solved and assembled. */
export interface ImagePlan {
  readonly platform: Platform
  /** The root filesystem; undefined for an image without layers. */
  readonly rootfs: RootfsStep | undefined
  /** Config and history; `rootfs.diff_ids` and times are filled in when the layers are there. */
  readonly image: ImageConfig
  /** The base image of the target's first ancestor, for annotations and cross-repository mounts. */
  readonly base: ResolvedImage | undefined
  /** SOURCE_DATE_EPOCH of this build, seconds. */
  readonly epoch: number | undefined
  /** Base images of all planned stages. */
  readonly images: readonly ResolvedImage[]
}

/** Plans the build of `options.target` for `options.platform`. */
export async function planBuild(
  parsed: ParsedDockerfile,
  options: PlanOptions,
  world: PlanWorld,
  signal?: AbortSignal,
): Promise<ImagePlan> {
  const planner = new Planner(parsed, options, world, signal)
  return await planner.plan()
}

class Planner {
  readonly #parsed: ParsedDockerfile
  readonly #world: PlanWorld
  readonly #signal: AbortSignal | undefined
  readonly #expander: Expander
  readonly #graph = new StageGraph()
  readonly #portBudget = { left: MAX_PORTS }
  #options: PlanOptions

  constructor(parsed: ParsedDockerfile, options: PlanOptions, world: PlanWorld, signal: AbortSignal | undefined) {
    this.#parsed = parsed
    this.#options = options
    this.#world = world
    this.#signal = signal
    this.#expander = new Expander(parsed.dockerfile)
  }

  async plan(): Promise<ImagePlan> {
    const { stages, globalArgs } = this.#parsed
    if (stages.length === 0) throw planErrors.noStages([])
    const options = this.#options
    const targetStage = options.target || (stages.at(-1)!.from.stageName ?? '')
    let args = predefinedArgs(
      { build: options.buildPlatform, target: options.platform, targetStage },
      options.buildArgs,
    )
    args = addGlobalArgs(args, globalArgs, options.buildArgs, this.#expander)
    await this.#resolveEpoch(args)

    for (const stage of stages) this.#addStage(stage, args)
    const target = this.#target()
    for (const node of [...this.#graph.nodes]) {
      node.commands = (node.stage?.instructions ?? []).map((i) => this.#command(i, false))
    }
    this.#checkCircles()
    if (this.#graph.nodes.length === 1) this.#graph.nodes[0]!.label = ''

    this.#checkNames()
    await this.#resolveBases(target)
    const needed = this.#graph.reachable(target)
    for (const node of this.#graph.nodes) if (needed.has(node)) this.#planStage(node, args)
    return this.#finish(target, needed)
  }

  /** A SOURCE_DATE_EPOCH that is not a number is replaced by the time it stands for, also where ARG reads it. */
  async #resolveEpoch(args: EnvList): Promise<void> {
    const key = 'SOURCE_DATE_EPOCH'
    const buildArgs = new Map(this.#options.buildArgs)
    const value = buildArgs.get(key) ?? args.get(key) ?? ''
    if (value === '') return
    const epoch = /^-?\d{1,15}$/.test(value) ? Number(value) : await this.#epochOf(value, args)
    for (const table of [buildArgs, args]) {
      if (table.get(key) === undefined) continue
      if (epoch === undefined) table.delete(key)
      else table.set(key, String(epoch))
    }
    // What the command line says, the reference keeps whatever the output says.
    const undated = this.#options.undated && !this.#options.buildArgs.has(key)
    this.#options = { ...this.#options, buildArgs, epoch: undated ? undefined : (this.#options.epoch ?? epoch) }
  }

  async #epochOf(value: string, args: EnvList): Promise<number | undefined> {
    if (value === 'context' || this.#world.hasNamedContext(value)) return await this.#world.contextTime(value)
    const source = datedSource(value, this.#parsed, args, this.#options.buildArgs, this.#expander)
    if (source === undefined) throw planErrors.epochInvalid([value])
    return await this.#world.sourceTime(source)
  }

  #addStage(stage: ParsedDockerfile['stages'][number], args: EnvList): void {
    const { from, index } = stage
    const at = locate(this.#parsed.dockerfile, from.raw)
    const baseName = this.#expander.word(from.image, args, from.raw)
    if (baseName === '') throw planErrors.blankBase([from.image], { at })
    let platform: Platform | undefined
    if (from.platform !== undefined) {
      const value = this.#expander.word(from.platform, args, from.raw)
      platform = parsePlatformValue(from.platform, value, args.keys(), this.#expander.variables(from.platform), at)
    }
    const name = from.stageName ?? ''
    const node = new StageNode({ stage, name, label: name || `stage-${index}`, baseName, platform })
    node.replaced = name !== '' && this.#world.hasNamedContext(name)
    this.#graph.add(node)
    if (node.replaced) node.base = undefined
  }

  #target(): StageNode {
    const { target } = this.#options
    if (!target) return this.#graph.nodes.at(-1)!
    const found = this.#graph.find(target)
    if (!found) throw planErrors.targetNotFound([target, suggest(target, this.#graph.names())])
    return found
  }

  #command(
    node: InstructionNode,
    onbuild: boolean,
    at: Location = locate(this.#parsed.dockerfile, node.raw),
  ): StageCommand {
    try {
      if (node.kind === 'COPY' && node.from !== undefined) {
        refuseFromVariable(node, this.#parsed.dockerfile)
        return { node, sources: [this.#graph.source(node.from, at)], onbuild }
      }
      if (node.kind === 'RUN')
        return {
          node,
          sources: mountSources(node).map((from) => (from ? this.#graph.source(from, at) : undefined)),
          onbuild,
        }
    } catch (error) {
      throw error instanceof BuildError ? error.with({ at }) : error
    }
    return { node, sources: [], onbuild }
  }

  #checkCircles(): void {
    const circle = this.#graph.findCircle()
    if (circle === undefined) return
    const [at, ...also] = circle.commands.map(({ node }) => locate(this.#parsed.dockerfile, node.raw))
    throw planErrors.circular([circle.start.label], { at, also })
  }

  /** Names of images must be names in all stages, also in those that are not needed. */
  #checkNames(): void {
    for (const node of this.#graph.nodes) {
      const { base, baseName, replaced } = node
      if (base !== undefined || (baseName === 'scratch' && !replaced)) continue
      this.#world.checkName(baseName, this.#placeOf(node))
    }
  }

  /** Resolves the base images of all that `target` needs; ONBUILD triggers may add to it. */
  async #resolveBases(target: StageNode): Promise<void> {
    for (let more = true; more; ) {
      more = false
      const needed = [...this.#graph.reachable(target)]
      await Promise.all(needed.map((node) => this.#resolveBase(node)))
      throwIfAborted(this.#signal)
      for (const node of needed) {
        if (node.onbuildDone) continue
        node.onbuildDone = true
        const triggers = this.#triggers(node)
        if (triggers.length === 0) continue
        const commands = triggers.map((text) => this.#trigger(text, node))
        node.commands = [...commands, ...node.commands]
        if (commands.some((c) => c.sources.length > 0)) more = true
      }
    }
  }

  #placeOf({ stage, at }: StageNode): Location | undefined {
    return stage ? locate(this.#parsed.dockerfile, stage.from.raw) : at
  }

  #triggers(node: StageNode): string[] {
    if (node.replaced) return []
    if (node.base) return node.base.commands.flatMap((c) => (c.node.kind === 'ONBUILD' ? [c.node.expression] : []))
    return typeof node.image === 'object' && 'config' in node.image ? (node.image.config.config?.OnBuild ?? []) : []
  }

  #trigger(text: string, node: StageNode): StageCommand {
    const at = node.stage && locate(this.#parsed.dockerfile, node.stage.from.raw)
    try {
      return this.#command(parseTrigger(text), true, at)
    } catch (error) {
      if (!(error instanceof BuildError)) throw error
      throw triggerFailure(error, text, node.base ? node.base.label : node.baseName, at)
    }
  }

  async #resolveBase(node: StageNode): Promise<void> {
    if (node.base || node.image !== undefined) return
    const at = this.#placeOf(node)
    const platform = node.platform ?? this.#options.platform
    const contextName = node.replaced ? node.name : node.baseName
    const context =
      contextName === 'scratch'
        ? undefined
        : await this.#world.namedContext(contextName, platform).catch((error) => {
            throw error instanceof BuildError ? error.with({ at }) : error
          })
    if (context) {
      node.image =
        context.kind === 'image' ? context.image : context.kind === 'scratch' ? 'scratch' : { tree: context.context }
      return
    }
    if (node.baseName === 'scratch') {
      node.image = 'scratch'
      return
    }
    try {
      node.image = await this.#world.resolveImage(node.baseName, platform, at)
    } catch (error) {
      if (!(error instanceof BuildError)) throw error
      const similar = suggest(node.baseName, this.#graph.names())
      throw new BuildError(error.code, similar ? `${error.message} (did you mean ${similar}?)` : error.message, {
        at: error.at ?? at,
        hint: error.hint,
        cause: error.cause ?? error,
      })
    }
  }

  #initialState(node: StageNode): StageState {
    const options = this.#options
    if (node.base) {
      const base = node.base.planned
      if (!base) throw planErrors.laterStage([node.base.label, node.label])
      return base.next()
    }
    const wanted = node.platform ?? options.platform
    const source = node.image
    if (source === undefined || source === 'scratch' || 'tree' in source) {
      const image = emptyImage(source === 'scratch' && node.baseName === 'scratch' ? options.platform : wanted)
      const platform = source === 'scratch' ? options.platform : wanted
      const rootfs = typeof source === 'object' ? this.#treeRootfs(source.tree, node) : undefined
      return StageState.of(image, { platform, expander: this.#expander, rootfs })
    }
    const { created: _, ...image } = source.config
    const platform = wanted
    const rootfs: RootfsStep | undefined =
      source.layers.length === 0
        ? undefined
        : {
            kind: 'image',
            name: `FROM ${source.ref}`,
            at: node.stage && locate(this.#parsed.dockerfile, node.stage.from.raw),
            noCache: false,
            ref: source.ref,
            platform,
            manifest: source.manifest,
            layers: source.layers,
          }
    return StageState.of(image, { platform, expander: this.#expander, rootfs })
  }

  /** A directory used as a base image: its files are the first layer. */
  #treeRootfs(context: string, node: StageNode): FileStep {
    const from: ContextStep = contextStep(context)
    return {
      kind: 'file',
      name: `[context ${context}] load from client`,
      at: node.stage && locate(this.#parsed.dockerfile, node.stage.from.raw),
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

  #planStage(node: StageNode, args: EnvList): void {
    const stage = this.#initialState(node)
    const proxyEnv = proxyEnvironment(this.#options.buildArgs)
    const noCache = this.#options.noCache === true || this.#options.noCache.has(node.name)
    const name = stepNamer(node, stage, this.#options)
    if (stage.rootfs?.kind === 'image' && !node.base)
      stage.rootfs = { ...stage.rootfs, name: name(stage.rootfs.name, false) }
    for (const command of node.replaced ? [] : node.commands) {
      const at = command.onbuild
        ? node.stage && locate(this.#parsed.dockerfile, node.stage.from.raw)
        : locate(this.#parsed.dockerfile, command.node.raw)
      const context = (): InstructionContext => ({
        options: this.#options,
        globalArgs: args,
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
    node.planned = stage
  }

  #sourceStep(source: StageNode, user: StageNode, by: InstructionNode, index: number): SourceStep | 'scratch' {
    if (source.stage === undefined || source.replaced) {
      if (typeof source.image === 'object' && 'tree' in source.image) return contextStep(source.image.tree)
      return this.#initialState(source).rootfs ?? 'scratch'
    }
    if (!source.planned) throw usedTooEarly(source, user, by, index)
    return source.planned.rootfs ?? 'scratch'
  }

  #finish(target: StageNode, needed: ReadonlySet<StageNode>): ImagePlan {
    const state = target.planned!
    for (const [name, value] of Object.entries(this.#options.labels)) state.labels.set(name, value)
    const image = state.toImage()
    if (!this.#options.implicitPlatform) setPlatform(image, this.#options.platform)
    const normal = normalizePlatform({
      os: image.os,
      architecture: image.architecture,
      ...(image.variant && { variant: image.variant }),
    })
    image.os = normal.os
    image.architecture = normal.architecture
    if (normal.variant) image.variant = normal.variant
    else delete image.variant
    const images = [...needed].flatMap((n) => (typeof n.image === 'object' && 'config' in n.image ? [n.image] : []))
    let root = target
    while (root.base) root = root.base
    const base = typeof root.image === 'object' && 'config' in root.image ? root.image : undefined
    const { platform, epoch } = this.#options
    return { platform, rootfs: state.rootfs, image, base, epoch, images }
  }
}

/** The error of an instruction that takes files from a stage below it. */
function usedTooEarly(source: StageNode, user: StageNode, by: InstructionNode, index: number): BuildError {
  if (by.kind !== 'RUN') return planErrors.laterStage([(by.kind === 'COPY' && by.from) || source.label, user.label])
  const value = (...keys: string[]) => by.mounts[index]?.fields.find(({ key }) => keys.includes(key))?.value ?? ''
  return planErrors.laterStageMounted([value('from'), value('target', 'dst', 'destination')])
}
