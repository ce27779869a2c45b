/**
 * Goes through a parsed file as the reference's converter does and reports what the rules find: the file's text,
 * stage names, global arguments, FROM lines, base images, and then each stage's instructions with its variables.
 *
 * What is an error of the build is not reported here but by planning, with its reason; the walk stops at the same place,
 * so that the same findings come before it.
 */
import { type Platform, parsePlatform } from '@tsbuild/registry-client'
import { locate } from '../dockerfile/ast.ts'
import type { Expansion } from '../dockerfile/expand.ts'
import { BuildError, throwIfAborted } from '../errors.ts'
import { refuseFromVariable } from '../instructions/copy.ts'
import type { FromNode, InstructionNode, ParsedDockerfile, Stage } from '../instructions/nodes.ts'
import { atPlace, expandAt } from './at-place.ts'
import type { BaseImage, LintFacts, LintWorld, NamedBase } from './facts.ts'
import { checkFileAsWhole } from './file-checks.ts'
import { type GlobalArgs, globalArgs, predefinedArgs } from './global-args.ts'
import { checkInstruction, type InstructionScope } from './instruction-checks.ts'
import type { Reporter } from './rule.ts'
import type { IgnoredFiles } from './rules/copy-ignored-file.ts'
import { checkConstantPlatform } from './rules/from-platform-flag-const-disallowed.ts'
import { checkBaseImagePlatform } from './rules/invalid-base-image-platform.ts'
import { checkRedundantPlatform } from './rules/redundant-target-platform.ts'
import { checkUndefinedArgs } from './rules/undefined-arg-in-from.ts'
import { checkSource } from './source-checks.ts'
import { LintStage, LintStages } from './stage.ts'
import { Suggester } from './suggester.ts'
import { sourceNames, triggersOf } from './triggers.ts'

/** Runs all checks over a file. Never rejects because of the file; rejects when the signal is aborted. */
export async function lintFile(parsed: ParsedDockerfile, reporter: Reporter, world: LintWorld): Promise<LintFacts> {
  return await new Walk(parsed, reporter, world).run()
}

/** Ends the walk: planning will say why. */
class Stop extends Error {}

class Walk {
  readonly #parsed: ParsedDockerfile
  readonly #reporter: Reporter
  readonly #world: LintWorld
  readonly #stages = new LintStages()
  readonly #suggester = new Suggester()
  #args: GlobalArgs = { values: new Map(), facts: new Map(), names: new Set() }
  #target: LintStage | undefined

  constructor(parsed: ParsedDockerfile, reporter: Reporter, world: LintWorld) {
    this.#parsed = parsed
    this.#reporter = reporter
    this.#world = world
  }

  async run(): Promise<LintFacts> {
    const ended = await this.#check().then(
      () => undefined,
      (error: unknown) => error,
    )
    throwIfAborted(this.#world.signal)
    if (ended !== undefined && !(ended instanceof Stop) && !(ended instanceof BuildError)) throw ended
    return {
      stages: this.#stages.all.filter((stage) => stage.index !== undefined),
      target: this.#target,
      globalArgs: this.#args.facts,
      stopped: ended !== undefined,
      error: ended instanceof BuildError ? ended : undefined,
    }
  }

  async #check(): Promise<void> {
    const { dockerfile, stages } = this.#parsed
    checkSource(this.#reporter, dockerfile)
    const predefined = predefinedArgs(this.#parsed, this.#world)
    checkFileAsWhole(this.#reporter, this.#parsed, predefined)
    this.#args = globalArgs(this.#parsed, predefined, this.#world.buildArgs)
    for (const stage of stages) await this.#addStage(stage)
    const target = this.#findTarget()
    this.#target = target
    for (const stage of [...this.#stages.all]) for (const node of stage.instructions) this.#addSources(stage, node)
    const needed = await this.#resolveBases(target)
    const checked = this.#stages.all.filter((stage) => needed.has(stage) || this.#world.allStages)
    const ignored = checked.some(copiesContext) ? await this.#world.ignored?.() : undefined
    for (const stage of checked) this.#checkStage(stage, ignored)
  }

  async #addStage({ from, index, instructions }: Stage): Promise<void> {
    const { dockerfile } = this.#parsed
    const image = expandAt(dockerfile, from.raw, from.image, this.#args.values)
    this.#checkUndefined(from, image)
    if (image.value === '') throw new Stop()
    const stage = new LintStage({ index, from, baseName: image.value, instructions })
    const used = [...image.used]
    if (from.platform !== undefined) {
      const expansion = expandAt(dockerfile, from.raw, from.platform, this.#args.values)
      stage.platform = this.#checkPlatform(from, from.platform, expansion)
      used.push(...expansion.used)
    }
    this.#stages.add(stage)
    for (const name of used) stage.usedArgs.add(name)
    await this.#replace(stage)
  }

  #checkPlatform(from: FromNode, expression: string, expansion: Expansion): Platform {
    this.#checkUndefined(from, expansion)
    const targetPlatform = this.#args.values.get('TARGETPLATFORM')
    checkRedundantPlatform(this.#reporter, from.raw, expression, expansion, targetPlatform)
    const platform = tryPlatform(expansion.value)
    checkConstantPlatform(this.#reporter, from, expansion, platform)
    if (platform === undefined) throw new Stop()
    return platform
  }

  #checkUndefined(from: FromNode, { unset }: Expansion): void {
    const { names } = this.#args
    checkUndefinedArgs(this.#reporter, from.raw, unset, names, (name) => this.#suggester.find(name, names))
  }

  /** A named context takes the place of a stage of its name. */
  async #replace(stage: LintStage): Promise<void> {
    const name = stage.from?.stageName
    if (name === undefined) return
    const platform = stage.platform ?? this.#world.platform
    const named = await this.#world.namedContext?.(name, platform)
    if (named === undefined) return
    stage.resolved = true
    stage.replaced = true
    stage.base = undefined
    stage.instructions = []
    stage.image = imageOf(named, platform)
  }

  #findTarget(): LintStage {
    const { target } = this.#world
    const found = target ? this.#stages.find(target) : this.#stages.all.at(-1)
    if (found === undefined) throw new Stop()
    return found
  }

  /** Notes what an instruction takes files from. @returns whether there is anything */
  #addSources(stage: LintStage, node: InstructionNode): boolean {
    if (node.kind === 'COPY') refuseFromVariable(node, this.#parsed.dockerfile)
    const names = sourceNames(node)
    for (const name of names) {
      const source = this.#stages.source(name)
      if (source === undefined || source === stage) throw new Stop()
      stage.sources.add(source)
    }
    return names.length > 0
  }

  /** Gets the configs of the base images that count; their ONBUILD triggers may add stages. */
  async #resolveBases(target: LintStage): Promise<ReadonlySet<LintStage>> {
    for (;;) {
      const needed = this.#stages.reachable(target)
      const wanted = this.#stages.all.filter((stage) => this.#world.allStages || needed.has(stage))
      const images = await Promise.all(wanted.map((stage) => this.#resolveBase(stage)))
      for (const [i, stage] of wanted.entries()) this.#checkBase(stage, images[i] === true)
      let more = false
      for (const stage of needed) if (this.#addTriggers(stage)) more = true
      if (!more) return needed
    }
  }

  /** @returns whether an image was looked up now */
  async #resolveBase(stage: LintStage): Promise<boolean> {
    if (stage.base || stage.resolved) return false
    stage.resolved = true
    if (stage.baseName === 'scratch') return false
    const world = this.#world
    const platform = stage.platform ?? world.platform
    const raw = stage.from?.raw ?? this.#parsed.stages[0]!.from.raw
    const at = locate(this.#parsed.dockerfile, raw)
    try {
      const named = await world.namedContext?.(stage.baseName, platform)
      if (named !== undefined) {
        stage.image = imageOf(named, platform)
        return false
      }
      stage.image = await world.resolveImage?.(stage.baseName, platform, at)
    } catch (error) {
      throw error instanceof BuildError ? error.with({ at }) : error
    }
    return stage.image !== undefined
  }

  #checkBase(stage: LintStage, lookedUp: boolean): void {
    const { image, from } = stage
    if (!lookedUp || image === undefined || from === undefined || image.rootfs?.diff_ids.length === 0) return
    checkBaseImagePlatform(this.#reporter, from.raw, stage.baseName, stage.platform ?? this.#world.platform, image)
  }

  /** Puts the ONBUILD triggers of the base in front. @returns whether they need further stages */
  #addTriggers(stage: LintStage): boolean {
    const { from } = stage
    if (stage.triggersAdded || stage.replaced || from === undefined) return false
    stage.triggersAdded = true
    const nodes = atPlace(this.#parsed.dockerfile, from.raw, () => triggersOf(stage, from.raw))
    stage.instructions = [...nodes, ...stage.instructions]
    return nodes.map((node) => this.#addSources(stage, node)).includes(true)
  }

  #checkStage(stage: LintStage, ignored: IgnoredFiles | undefined): void {
    stage.inherit()
    stage.platform ??= this.#world.platform
    const { dockerfile } = this.#parsed
    const scope: InstructionScope = {
      reporter: this.#reporter,
      dockerfile,
      world: this.#world,
      globalArgs: this.#args.values,
      stage,
      suggester: this.#suggester,
      ignored,
    }
    for (const node of stage.instructions) {
      if (!atPlace(dockerfile, node.raw, () => checkInstruction(scope, node))) throw new Stop()
    }
  }
}

function copiesContext({ instructions }: LintStage): boolean {
  return instructions.some((node) => (node.kind === 'COPY' || node.kind === 'ADD') && node.from === undefined)
}

/** A context that is no image has no config. */
function imageOf(named: NamedBase, { os, architecture }: Platform): BaseImage {
  return named.kind === 'image' ? named.image : { os, architecture }
}

function tryPlatform(text: string): Platform | undefined {
  try {
    return text === '' ? undefined : parsePlatform(text)
  } catch {
    return undefined
  }
}
