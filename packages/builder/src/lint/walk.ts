/**
 * Goes through a parsed file as the reference's converter does and reports what the rules find: the file's text,
 * stage names, global arguments, FROM lines, base images, and then each stage's instructions with its variables.
 *
 * What is an error of the build is not reported here but by planning, with its reason; the walk stops at the same place,
 * so that the same findings come before it.
 */
import { formatPlatform, type Platform, parsePlatform, parseReference } from '@tsbuild/registry-client'
import { locate, type RawInstruction } from '../dockerfile/ast.ts'
import { type Expansion, expandWord } from '../dockerfile/expand.ts'
import { BuildError, throwIfAborted } from '../errors.ts'
import type { FromNode, InstructionNode, ParsedDockerfile, Stage } from '../instructions/nodes.ts'
import { parseTrigger } from '../instructions/parse.ts'
import type { ArgFact, LintFacts, LintWorld } from './facts.ts'
import { checkInstruction, type InstructionScope } from './instruction-checks.ts'
import type { Reporter } from './rule.ts'
import { checkInstructionCasing } from './rules/consistent-instruction-casing.ts'
import { checkDuplicateStageName } from './rules/duplicate-stage-name.ts'
import { checkConstantPlatform } from './rules/from-platform-flag-const-disallowed.ts'
import { checkBaseImagePlatform } from './rules/invalid-base-image-platform.ts'
import { checkDefaultBase } from './rules/invalid-default-arg-in-from.ts'
import { checkRedundantPlatform } from './rules/redundant-target-platform.ts'
import { checkReservedStageName } from './rules/reserved-stage-name.ts'
import { checkUndefinedArgs } from './rules/undefined-arg-in-from.ts'
import { checkSource } from './source-checks.ts'
import { LintStage, LintStages } from './stage.ts'
import { Suggester } from './suggester.ts'

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
  #globalArgs: ReadonlyMap<string, string> = new Map()
  #declared: ReadonlyMap<string, ArgFact> = new Map()
  /** Names that may stand in FROM lines. */
  #known: ReadonlySet<string> = new Set()
  #target: LintStage | undefined

  constructor(parsed: ParsedDockerfile, reporter: Reporter, world: LintWorld) {
    this.#parsed = parsed
    this.#reporter = reporter
    this.#world = world
  }

  async run(): Promise<LintFacts> {
    const error = await this.#failure()
    throwIfAborted(this.#world.signal)
    const stages = this.#stages.all.filter((stage) => stage.index !== undefined)
    return { stages, target: this.#target, globalArgs: this.#declared, error }
  }

  async #failure(): Promise<BuildError | undefined> {
    try {
      await this.#check()
      return undefined
    } catch (error) {
      if (error instanceof Stop) return undefined
      if (error instanceof BuildError) return error
      throw error
    }
  }

  async #check(): Promise<void> {
    const { dockerfile, stages } = this.#parsed
    checkSource(this.#reporter, dockerfile)
    this.#checkNames()
    const predefined = this.#predefined()
    this.#checkDefaults(predefined)
    const { values, facts } = this.#addGlobalArgs(predefined, this.#world.buildArgs)
    this.#globalArgs = values
    this.#declared = facts
    this.#known = new Set([...facts.keys(), ...values.keys()])
    for (const stage of stages) await this.#addStage(stage)
    const target = this.#findTarget()
    this.#target = target
    for (const stage of [...this.#stages.all]) for (const node of stage.instructions) this.#addSources(stage, node)
    const needed = await this.#resolveBases(target)
    for (const stage of this.#stages.all) {
      if (stage.replaced || (!needed.has(stage) && !this.#world.allStages)) continue
      this.#checkStage(stage)
    }
  }

  #checkNames(): void {
    const { stages } = this.#parsed
    const names = new Set<string>()
    for (const stage of stages) {
      checkReservedStageName(this.#reporter, stage)
      checkDuplicateStageName(this.#reporter, stage, names)
      if (stage.from.stageName !== undefined) names.add(stage.from.stageName)
    }
    checkInstructionCasing(
      this.#reporter,
      stages.flatMap((stage) => [stage.from.raw, ...stage.instructions.map((node) => node.raw)]),
    )
  }

  #predefined(): Map<string, string> {
    const { platform, buildPlatform, target, buildArgs } = this.#world
    const entries = [...platformArgs('BUILD', buildPlatform), ...platformArgs('TARGET', platform)]
    entries.push(['TARGETSTAGE', target || this.#parsed.stages.at(-1)?.from.stageName || 'default'])
    return new Map(entries.map(([name, value]) => [name, buildArgs.get(name) ?? value]))
  }

  /** Would the file do without --build-arg? */
  #checkDefaults(predefined: ReadonlyMap<string, string>): void {
    try {
      const { values } = this.#addGlobalArgs(predefined, new Map())
      for (const { from } of this.#parsed.stages) {
        checkDefaultBase(this.#reporter, from, isImageName(this.#expand(from.image, values).value))
      }
    } catch (error) {
      // The same error comes up again where it counts.
      if (!(error instanceof BuildError)) throw error
    }
  }

  #addGlobalArgs(
    predefined: ReadonlyMap<string, string>,
    buildArgs: ReadonlyMap<string, string>,
  ): { values: Map<string, string>; facts: Map<string, ArgFact> } {
    const values = new Map(predefined)
    const facts = new Map<string, ArgFact>()
    for (const { args, raw } of this.#parsed.globalArgs) {
      for (const { key, value: fallback } of args) {
        const given = buildArgs.get(key)
        const expansion =
          given === undefined && fallback !== undefined
            ? this.#at(raw, () => this.#expand(fallback, values))
            : undefined
        const value = given ?? expansion?.value
        if (value !== undefined) values.set(key, value)
        facts.set(key, { name: key, value: value ?? '', at: raw, uses: expansion?.used ?? new Set() })
      }
    }
    return { values, facts }
  }

  async #addStage({ from, index, instructions }: Stage): Promise<void> {
    const image = this.#at(from.raw, () => this.#expand(from.image, this.#globalArgs))
    this.#checkUndefined(from, image)
    if (image.value === '') throw new Stop()
    const stage = new LintStage({ index, from, baseName: image.value, instructions })
    const used = new Set(image.used)
    if (from.platform !== undefined) {
      const expression = from.platform
      const expansion = this.#at(from.raw, () => this.#expand(expression, this.#globalArgs))
      this.#checkUndefined(from, expansion)
      checkRedundantPlatform(this.#reporter, from.raw, expression, expansion, this.#globalArgs.get('TARGETPLATFORM'))
      const platform = tryPlatform(expansion.value)
      checkConstantPlatform(this.#reporter, from, expansion, platform)
      if (platform === undefined) throw new Stop()
      stage.platform = platform
      for (const name of expansion.used) used.add(name)
    }
    this.#stages.add(stage)
    for (const name of used) stage.usedArgs.add(name)
    await this.#replace(stage)
  }

  #checkUndefined(from: FromNode, { unset }: Expansion): void {
    checkUndefinedArgs(this.#reporter, from.raw, unset, this.#known, (name) => this.#suggester.find(name, this.#known))
  }

  async #replace(stage: LintStage): Promise<void> {
    const name = stage.from?.stageName
    const named =
      name === undefined ? undefined : await this.#world.namedContext?.(name, stage.platform ?? this.#world.platform)
    if (named === undefined) return
    stage.replaced = true
    stage.resolved = true
    stage.base = undefined
    stage.instructions = []
    if (named.kind === 'image') stage.image = named.image
  }

  #findTarget(): LintStage {
    const { target } = this.#world
    const found = target ? this.#stages.find(target) : this.#stages.all.at(-1)
    if (found === undefined) throw new Stop()
    return found
  }

  /** Notes the stages and images that an instruction takes files from. */
  #addSources(stage: LintStage, node: InstructionNode): boolean {
    const names: string[] = []
    if (node.kind === 'COPY' && node.from !== undefined) names.push(node.from)
    if (node.kind === 'RUN') {
      for (const { fields } of node.mounts) {
        const from = fields.find((field) => field.key.toLowerCase() === 'from')?.value
        if (from) names.push(from)
      }
    }
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
    const named = await world.namedContext?.(stage.baseName, platform)
    if (named !== undefined) {
      if (named.kind === 'image') stage.image = named.image
      else stage.image = { os: platform.os, architecture: platform.architecture }
      return false
    }
    const raw = stage.from?.raw ?? this.#parsed.stages[0]!.from.raw
    stage.image = await world.resolveImage?.(stage.baseName, platform, locate(this.#parsed.dockerfile, raw))
    return stage.image !== undefined
  }

  #checkBase(stage: LintStage, looked: boolean): void {
    const { image, from } = stage
    if (!looked || image === undefined || from === undefined || image.rootfs?.diff_ids.length === 0) return
    checkBaseImagePlatform(this.#reporter, from.raw, stage.baseName, stage.platform ?? this.#world.platform, image)
  }

  /** Puts the ONBUILD triggers of the base in front. @returns whether they need further stages */
  #addTriggers(stage: LintStage): boolean {
    if (stage.triggersAdded || stage.replaced || stage.from === undefined) return false
    stage.triggersAdded = true
    const own = stage.base?.instructions.flatMap((node) => (node.kind === 'ONBUILD' ? [node.expression] : []))
    const triggers = own ?? stage.image?.config?.OnBuild ?? []
    const from = stage.from.raw
    const nodes = triggers.map((text) => this.#at(from, () => placedAt(from, parseTrigger(text))))
    stage.instructions = [...nodes, ...stage.instructions]
    return nodes.map((node) => this.#addSources(stage, node)).includes(true)
  }

  #checkStage(stage: LintStage): void {
    stage.inherit()
    stage.platform ??= this.#world.platform
    const { dockerfile } = this.#parsed
    const scope: InstructionScope = {
      reporter: this.#reporter,
      dockerfile,
      world: this.#world,
      globalArgs: this.#globalArgs,
      stage,
      suggester: this.#suggester,
    }
    for (const node of stage.instructions) {
      if (!this.#at(node.raw, () => checkInstruction(scope, node))) throw new Stop()
    }
  }

  #expand(text: string, variables: ReadonlyMap<string, string>): Expansion {
    return expandWord(text, variables, this.#parsed.dockerfile.escape)
  }

  /** Adds the place to errors of an expansion. */
  #at<T>(raw: RawInstruction, work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw error instanceof BuildError ? error.with({ at: locate(this.#parsed.dockerfile, raw) }) : error
    }
  }
}

function platformArgs(prefix: 'BUILD' | 'TARGET', platform: Platform): [string, string][] {
  return [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}OSVERSION`, platform['os.version'] ?? ''],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant ?? ''],
  ]
}

function tryPlatform(text: string): Platform | undefined {
  try {
    return text === '' ? undefined : parsePlatform(text)
  } catch {
    return undefined
  }
}

function isImageName(text: string): boolean {
  try {
    parseReference(text)
    return true
  } catch {
    return false
  }
}

/** A trigger has no place of its own in this file: findings are shown at the FROM line that brings it in. */
function placedAt(from: RawInstruction, node: InstructionNode): InstructionNode {
  const { keyword, name, flags, rest, original, form, words, heredocs } = node.raw
  const { comments, keywordRange, range } = from
  const raw = { keyword, name, flags, rest, original, form, words, heredocs, comments, keywordRange, range }
  return { ...node, raw }
}
