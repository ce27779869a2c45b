/** `--call=outline`: what one target takes: build arguments, secrets, ssh agents. */
import { descriptionOf, type LintFacts, type MountFact, type StageFacts } from '../lint/index.ts'
import type { CallResult } from '../results.ts'
import type { ArgFact } from '../stages/args.ts'
import type { ResolvedStages } from '../stages/resolve.ts'
import type { StageNode } from '../stages/stage-graph.ts'
import { columns } from './columns.ts'
import { base64, type LocationJson, locationJson } from './locations.ts'

export interface OutlineArgJson {
  readonly name: string
  readonly description?: string
  readonly value?: string
  readonly location: LocationJson
}

export interface OutlineMountJson {
  readonly name: string
  readonly required?: boolean
  readonly location: LocationJson
}

/** The printed document; empty fields are left out. */
export interface OutlineJson {
  readonly name?: string
  readonly description?: string
  readonly args?: readonly OutlineArgJson[]
  readonly secrets?: readonly OutlineMountJson[]
  readonly ssh?: readonly OutlineMountJson[]
  readonly sources: readonly string[]
}

export interface OutlineResult extends CallResult {
  readonly json: OutlineJson
}

/**
 * Describes the target.
 *
 * @param facts what the checks found out about its stages
 * @throws BuildError the one that stopped the checks
 */
export function outlineTarget(
  { parsed, target, args: globals, failure }: ResolvedStages,
  facts: LintFacts,
): OutlineResult {
  const error = failure ?? facts.error
  if (error !== undefined) throw error
  const from = target?.stage?.from
  const stages = target === undefined ? [] : withNeeds(target).flatMap((node) => facts.stages.get(node) ?? [])
  const args = usedArgs(stages, globals.facts).map(argJson).sort(byLine)
  const secrets = mounts(stages, (stage) => stage.secrets)
  const ssh = mounts(stages, (stage) => stage.ssh)
  const name = from?.stageName
  const description = from && name !== undefined ? descriptionOf(from.raw, name) : undefined
  const json: OutlineJson = {
    ...(name !== undefined && { name }),
    ...(description && { description }),
    ...(args.length > 0 && { args }),
    ...(secrets.length > 0 && { secrets }),
    ...(ssh.length > 0 && { ssh }),
    sources: [base64(parsed.dockerfile.source)],
  }
  return { json, text: outlineText(json) }
}

/** The stage, then what it builds on and takes files from, each once. */
function withNeeds(target: StageNode): StageNode[] {
  const found = new Set<StageNode>()
  const stack = [target]
  for (let stage = stack.pop(); stage !== undefined; stage = stack.pop()) {
    if (found.has(stage)) continue
    found.add(stage)
    for (const needed of stage.needs.reverse()) stack.push(needed)
  }
  return [...found]
}

/** Arguments by name: the nearest stage's definition counts. */
function usedArgs(stages: readonly StageFacts[], globalArgs: ReadonlyMap<string, ArgFact>): ArgFact[] {
  const found = new Map<string, ArgFact>()
  for (const stage of stages) {
    const used = new Set(stage.usedArgs)
    // Also what their defaults use; the set grows while it is gone through.
    for (const name of used) {
      const fact = stage.ownArgs.get(name) ?? globalArgs.get(name)
      if (fact === undefined) continue
      for (const other of fact.uses) used.add(other)
      if (!found.has(name)) found.set(name, fact)
    }
  }
  return [...found.values()]
}

function argJson({ name, value, at }: ArgFact): OutlineArgJson {
  const description = descriptionOf(at, name)
  return { name, ...(description && { description }), ...(value && { value }), location: locationJson(at.range) }
}

function mounts(
  stages: readonly StageFacts[],
  pick: (stage: StageFacts) => ReadonlyMap<string, MountFact>,
): OutlineMountJson[] {
  const found = new Map<string, OutlineMountJson>()
  for (const { id, required, at } of stages.flatMap((stage) => [...pick(stage).values()])) {
    if (!found.has(id)) found.set(id, { name: id, ...(required && { required }), location: locationJson(at.range) })
  }
  return [...found.values()].sort(byLine)
}

function byLine(a: { readonly location: LocationJson }, b: { readonly location: LocationJson }): number {
  return a.location.ranges[0]!.start.line - b.location.ranges[0]!.start.line
}

function outlineText(outline: OutlineJson): string {
  const blocks: string[] = []
  if (outline.name || outline.description) {
    const rows = [['TARGET:', outline.name ?? '(default)']]
    if (outline.description) rows.push(['DESCRIPTION:', outline.description])
    blocks.push(columns(rows, 1))
  }
  if (outline.args) {
    const rows = outline.args.map((arg) => [arg.name, arg.value ?? '', arg.description ?? ''])
    blocks.push(columns([['BUILD ARG', 'VALUE', 'DESCRIPTION'], ...rows], 3))
  }
  for (const [title, list] of [
    ['SECRET', outline.secrets],
    ['SSH', outline.ssh],
  ] as const) {
    if (!list) continue
    const rows = list.map((mount) => [mount.name, mount.required ? 'true' : ''])
    blocks.push(columns([[title, 'REQUIRED'], ...rows], 3))
  }
  return blocks.map((block) => `${block}\n`).join('')
}
