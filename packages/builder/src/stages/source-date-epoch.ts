/**
 * `SOURCE_DATE_EPOCH=STAGE`: the time of the one remote source that a stage made of nothing else adds (a release archive,
 * a git tag). As in the reference, such a stage starts FROM scratch and holds ARG and one ADD.
 */

import type { EnvList } from '../graph/env-list.ts'
import type { ParsedDockerfile, Stage } from '../instructions/nodes.ts'
import { parseGitUrl } from '../util/git-url.ts'
import { stageErrors } from './errors.ts'
import type { Expander } from './expander.ts'

/** A source that has a time of its own. */
export type DatedSource =
  | { readonly kind: 'http'; readonly url: string; readonly checksum: string | undefined }
  | {
      readonly kind: 'git'
      readonly url: string
      readonly ref: string | undefined
      readonly checksum: string | undefined
    }

/** The source of the stage of that name; undefined when there is no such stage. */
export function datedSource(
  name: string,
  { stages }: ParsedDockerfile,
  args: EnvList,
  buildArgs: ReadonlyMap<string, string>,
  expander: Expander,
): DatedSource | undefined {
  const stage = stages.find(({ from }) => from.stageName === name.toLowerCase())
  return stage && sourceOf(stage, args, buildArgs, expander)
}

function sourceOf(
  stage: Stage,
  globals: EnvList,
  buildArgs: ReadonlyMap<string, string>,
  expander: Expander,
): DatedSource {
  const args = globals.clone()
  args.delete('SOURCE_DATE_EPOCH')
  if (expander.word(stage.from.image, args, stage.from.raw) !== 'scratch')
    throw stageErrors.epochStage(['SOURCE_DATE_EPOCH stage must use FROM scratch'])
  let source: DatedSource | undefined
  for (const node of stage.instructions) {
    if (node.kind === 'ARG') {
      for (const { key, value } of node.args) {
        const given = buildArgs.get(key) ?? (value === undefined ? undefined : expander.word(value, args, node.raw))
        if (given !== undefined) args.set(key, given)
      }
    } else if (node.kind === 'ADD' && source === undefined && node.sources.length === 1 && node.contents.length === 0) {
      const url = expander.word(node.sources[0]!, args, node.raw)
      const checksum = node.checksum === undefined ? undefined : expander.word(node.checksum, args, node.raw)
      source = remote(url, checksum)
    } else if (node.kind === 'ADD') {
      throw stageErrors.epochStage(['SOURCE_DATE_EPOCH stage must contain exactly one remote ADD'])
    } else {
      throw stageErrors.epochStage([
        `SOURCE_DATE_EPOCH stage does not meet source-only requirements: unsupported ${node.kind.toLowerCase()} instruction`,
      ])
    }
  }
  if (source === undefined)
    throw stageErrors.epochStage(['SOURCE_DATE_EPOCH stage must contain exactly one remote ADD'])
  return source
}

function remote(text: string, checksum: string | undefined): DatedSource {
  const git = parseGitUrl(text)
  if (git) return { kind: 'git', url: git.remote, ref: git.ref, checksum: checksum ?? git.checksum }
  if (/^https?:\/\//.test(text)) return { kind: 'http', url: text, checksum }
  throw stageErrors.epochStage(['SOURCE_DATE_EPOCH stage source must be a single HTTP(S) or Git ADD'])
}
