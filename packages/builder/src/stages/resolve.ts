/**
 * The stages of a file for one platform: FROM lines expanded, the target, how stages need each other, base images, ONBUILD
 * triggers. Planning and the checks both start from here.
 *
 * The order is the reference's (dockerfile2llb): global arguments, stages and their bases, the target, dependencies, base
 * images of what is needed, triggers (which may need more).
 */
import type { Platform } from '@tsbuild/registry-client'
import { locate, type RawInstruction } from '../dockerfile/ast.ts'
import type { Expansion } from '../dockerfile/expand.ts'
import { BuildError, throwIfAborted } from '../errors.ts'
import { EnvList } from '../graph/env-list.ts'
import type { FromNode, ParsedDockerfile, Stage } from '../instructions/nodes.ts'
import type { Location } from '../source.ts'
import { didYouMean, suggest } from '../util/suggest.ts'
import { type GlobalArgs, globalArgs, predefinedArgs } from './args.ts'
import { stageErrors } from './errors.ts'
import { Expander } from './expander.ts'
import { parsePlatformValue } from './platform.ts'
import { datedSource } from './source-date-epoch.ts'
import { StageGraph, StageNode } from './stage-graph.ts'
import { stageCommand, triggersOf } from './triggers.ts'
import type { NamedContext, StageOptions, StageWorld } from './world.ts'

/** A FROM line, as far as its variables could be replaced. */
export interface ExpandedFrom {
  readonly from: FromNode
  readonly image: Expansion
  readonly platform: Expansion | undefined
}

/** What is known of the stages. With a {@link failure} it is what was found out before it. */
export interface ResolvedStages {
  readonly parsed: ParsedDockerfile
  /** In `buildArgs`, SOURCE_DATE_EPOCH is the number that it stands for. */
  readonly options: StageOptions
  readonly expander: Expander
  readonly args: GlobalArgs
  /** In the order of the file. */
  readonly froms: readonly ExpandedFrom[]
  /** The stages of the file, then images that `--from` and mounts name. */
  readonly nodes: readonly StageNode[]
  readonly target: StageNode | undefined
  /** The target and all it needs. */
  readonly needed: ReadonlySet<StageNode>
  /** Stages whose base image was looked up by its name, in that order. */
  readonly lookedUp: readonly StageNode[]
  /** SOURCE_DATE_EPOCH, seconds. */
  readonly epoch: number | undefined
  /** Why the file cannot be built. */
  readonly failure: BuildError | undefined
}

/** Resolves the stages. Never rejects because of the file or its images; rejects when the signal is aborted. */
export async function resolveStages(
  parsed: ParsedDockerfile,
  options: StageOptions,
  world: StageWorld,
  signal?: AbortSignal,
): Promise<ResolvedStages> {
  const resolver = new Resolver(parsed, options, world)
  try {
    await resolver.run(signal)
    return resolver.result()
  } catch (error) {
    throwIfAborted(signal)
    if (error instanceof BuildError && error.code !== 'CANCELLED') return resolver.result(error)
    throw error
  }
}

class Resolver {
  readonly #parsed: ParsedDockerfile
  readonly #world: StageWorld
  readonly #expander: Expander
  readonly #graph = new StageGraph()
  readonly #froms: ExpandedFrom[] = []
  readonly #lookedUp: StageNode[] = []
  #options: StageOptions
  #args: GlobalArgs = { values: new EnvList(), facts: new Map() }
  #target: StageNode | undefined
  #needed: ReadonlySet<StageNode> = new Set()
  #epoch: number | undefined

  constructor(parsed: ParsedDockerfile, options: StageOptions, world: StageWorld) {
    this.#parsed = parsed
    this.#options = options
    this.#world = world
    this.#expander = new Expander(parsed.dockerfile)
  }

  result(failure?: BuildError): ResolvedStages {
    return {
      parsed: this.#parsed,
      options: this.#options,
      expander: this.#expander,
      args: this.#args,
      froms: this.#froms,
      nodes: this.#graph.nodes,
      target: this.#target,
      needed: this.#needed,
      lookedUp: this.#lookedUp,
      epoch: this.#epoch,
      failure,
    }
  }

  async run(signal: AbortSignal | undefined): Promise<void> {
    const { stages } = this.#parsed
    if (stages.length === 0) throw stageErrors.noStages([])
    const predefined = predefinedArgs(this.#parsed, this.#options)
    this.#args = globalArgs(this.#parsed, predefined, this.#options.buildArgs, this.#expander)
    await this.#resolveEpoch(this.#args.values)
    for (const stage of stages) this.#addStage(stage, this.#args.values)
    const target = this.#findTarget()
    this.#target = target
    for (const node of [...this.#graph.nodes]) {
      node.commands = (node.stage?.instructions ?? []).map((instruction) =>
        stageCommand(this.#graph, this.#parsed.dockerfile, instruction),
      )
    }
    this.#checkCircles()
    if (this.#graph.nodes.length === 1) this.#graph.nodes[0]!.label = ''
    this.#checkNames()
    await this.#resolveBases(target, signal)
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
    this.#options = { ...this.#options, buildArgs }
    this.#epoch = epoch
  }

  async #epochOf(value: string, args: EnvList): Promise<number | undefined> {
    if (value === 'context' || this.#world.hasNamedContext(value)) return await this.#world.contextTime(value)
    const source = datedSource(value, this.#parsed, args, this.#options.buildArgs, this.#expander)
    if (source === undefined) throw stageErrors.epochInvalid([value])
    return await this.#world.sourceTime(source)
  }

  #addStage(stage: Stage, args: EnvList): void {
    const { from, index } = stage
    const at = this.#at(from.raw)
    const expand = (text: string) => this.#expander.tryExpansion(text, args, from.raw)
    const image = expand(from.image)
    const expression = image.value === '' ? undefined : from.platform
    const value = expression === undefined ? undefined : expand(expression)
    this.#froms.push({ from, image, platform: value })
    const error = image.error ?? value?.error
    if (error !== undefined) throw error
    if (image.value === '') throw stageErrors.blankBase([from.image], { at })
    const platform = value && parsePlatformValue(expression!, value, args.keys(), at)
    const name = from.stageName ?? ''
    const node = new StageNode({ stage, at, name, label: name || `stage-${index}`, baseName: image.value, platform })
    node.replaced = name !== '' && this.#world.hasNamedContext(name)
    this.#graph.add(node)
    if (node.replaced) node.base = undefined
  }

  #findTarget(): StageNode {
    const { target } = this.#options
    if (!target) return this.#graph.nodes.at(-1)!
    const found = this.#graph.find(target)
    if (!found) throw stageErrors.targetNotFound([target, suggest(target, this.#graph.names())])
    return found
  }

  #checkCircles(): void {
    const circle = this.#graph.findCircle()
    if (circle === undefined) return
    const [at, ...also] = circle.commands.map(({ node }) => this.#at(node.raw))
    throw stageErrors.circular([circle.start.label], { at, also })
  }

  /** Names of images must be names in all stages, also in those that are not needed. */
  #checkNames(): void {
    for (const { base, baseName, replaced, at } of this.#graph.nodes) {
      if (base === undefined && (baseName !== 'scratch' || replaced)) this.#world.checkName(baseName, at)
    }
  }

  /** Resolves the base images that count; ONBUILD triggers may add to them. */
  async #resolveBases(target: StageNode, signal: AbortSignal | undefined): Promise<void> {
    for (let more = true; more; ) {
      more = false
      this.#needed = this.#graph.reachable(target)
      const wanted = this.#graph.nodes.filter((node) => this.#options.allStages || this.#needed.has(node))
      const lookUps = wanted.map((node) => this.#resolveBase(node))
      const all = Promise.all(lookUps)
      all.catch(() => undefined)
      // What the target needs fails first.
      await Promise.all(lookUps.filter((_, i) => this.#needed.has(wanted[i]!)))
      const lookedUp = await all
      throwIfAborted(signal)
      this.#lookedUp.push(...wanted.filter((_, i) => lookedUp[i]))
      for (const node of this.#needed) {
        if (node.triggersAdded || node.replaced || node.stage === undefined) continue
        node.triggersAdded = true
        const commands = triggersOf(this.#graph, this.#parsed.dockerfile, node, node.stage.from.raw)
        node.commands = [...commands, ...node.commands]
        if (commands.some((command) => command.sources.length > 0)) more = true
      }
    }
  }

  /** @returns whether an image was looked up by its name */
  async #resolveBase(node: StageNode): Promise<boolean> {
    if (node.base || node.origin !== undefined) return false
    const { at } = node
    const platform = node.platform ?? this.#options.platform
    node.origin = await this.#namedContext(node.replaced ? node.name : node.baseName, platform, at)
    if (node.origin === undefined && node.baseName === 'scratch') node.origin = { kind: 'scratch' }
    if (node.origin !== undefined) return false
    try {
      node.origin = { kind: 'image', image: await this.#world.resolveImage(node.baseName, platform, at) }
      return true
    } catch (error) {
      if (!(error instanceof BuildError)) throw error
      const { code, message, hint, cause = error } = error
      const similar = didYouMean(node.baseName, this.#graph.names())
      throw new BuildError(code, `${message}${similar}`, { at: error.at ?? at, hint, cause })
    }
  }

  async #namedContext(name: string, platform: Platform, at: Location): Promise<NamedContext | undefined> {
    try {
      return name === 'scratch' ? undefined : await this.#world.namedContext(name, platform)
    } catch (error) {
      throw error instanceof BuildError ? error.with({ at }) : error
    }
  }

  #at(raw: RawInstruction): Location {
    return locate(this.#parsed.dockerfile, raw)
  }
}
