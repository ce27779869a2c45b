/** `--call=targets`: the stages of a file that can be built. */
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import { descriptionOf } from '../lint/index.ts'
import type { CallResult } from '../results.ts'
import { columns } from './columns.ts'
import { base64, type LocationJson, locationJson } from './locations.ts'

/** A stage in the printed document; empty fields are left out. */
export interface TargetJson {
  readonly name?: string
  readonly default?: boolean
  /** The comment above the FROM that begins with the stage's name. */
  readonly description?: string
  /** Image or stage after FROM, as written. */
  readonly base?: string
  /** `FROM --platform`, as written. */
  readonly platform?: string
  readonly location: LocationJson
}

export interface TargetsResult extends CallResult {
  readonly json: { readonly targets: readonly TargetJson[]; readonly sources: readonly string[] }
}

/** Lists the stages. The default target is the last one. */
export function listTargets(parsed: ParsedDockerfile): TargetsResult {
  const targets = parsed.stages.map(({ from }, i): TargetJson => {
    const name = from.stageName
    const description = name === undefined ? undefined : descriptionOf(from.raw, name)
    return {
      ...(name !== undefined && { name }),
      ...(i === parsed.stages.length - 1 && { default: true }),
      ...(description && { description }),
      base: from.image,
      ...(from.platform && { platform: from.platform }),
      location: locationJson(from.raw.range),
    }
  })
  return { json: { targets, sources: [base64(parsed.dockerfile.source)] }, text: targetsText(targets) }
}

function targetsText(targets: readonly TargetJson[]): string {
  const rows = targets.map((target) => {
    const name = [target.name, target.default && '(default)'].filter(Boolean).join(' ')
    return [name, target.description ?? '']
  })
  return columns([['TARGET', 'DESCRIPTION'], ...rows], 1)
}
