/** The table of kaniko's flags: those of version 1.24 and of its forks. Help, docs and tests all read it. */

import type { ParsedArguments } from '../flags/parse.ts'
import { parseBoolean } from '../flags/parse.ts'
import type { Environment } from '../io.ts'
import { UsageError } from '../usage-error.ts'
import { CACHE_FLAGS } from './cache-flags.ts'
import { type KanikoDraft, newDraft } from './draft.ts'
import { IMAGE_FLAGS } from './image-flags.ts'
import { INPUT_FLAGS } from './input-flags.ts'
import { OTHER_FLAGS } from './other-flags.ts'
import { REGISTRY_FLAGS, registryMap } from './registry-flags.ts'
import type { KanikoFlag } from './row.ts'

/** The sections of the help and of docs/migrate-kaniko.md. */
export const KANIKO_SECTIONS: readonly { readonly title: string; readonly flags: readonly KanikoFlag[] }[] = [
  { title: 'What is built', flags: INPUT_FLAGS },
  { title: 'The image and where it goes', flags: IMAGE_FLAGS },
  { title: 'Cache', flags: CACHE_FLAGS },
  { title: 'Registries', flags: REGISTRY_FLAGS },
  { title: 'Logs and the rest', flags: OTHER_FLAGS },
]

export const KANIKO_FLAGS: readonly KanikoFlag[] = KANIKO_SECTIONS.flatMap((section) => section.flags)

/** Environment variables of kaniko, and what becomes of them. */
export const KANIKO_ENVIRONMENT: readonly (readonly [name: string, text: string])[] = [
  ['KANIKO_DIR', '`--kaniko-dir`, which wins'],
  ['KANIKO_NO_PUSH', '`--no-push`, over which it wins, as in kaniko'],
  ['KANIKO_REGISTRY_MIRROR', 'One more `--registry-mirror`'],
  ['KANIKO_REGISTRY_MAP', 'One more `--registry-map`'],
  [
    'DOCKER_CONFIG',
    "Directory of docker's `config.json` (default `.docker` in the directory of kaniko if it is there, else `~/.docker`)",
  ],
  ['GIT_TOKEN, GIT_USERNAME, GIT_PASSWORD', 'For a context `git://`, and nothing else'],
  ['GIT_PULL_METHOD', '`http` or `https` (default), for a context `git://`'],
  ['BUILDER_OUTPUT', 'Directory in which `images` gets a line of JSON for each name pushed'],
  ['FF_KANIKO_…, KANIKO_CLEANUP and others', 'No effect: said at verbosity debug'],
]

/**
 * Lets each flag that was given write into a new draft, in the order of the table, and then the environment.
 *
 * @param onRefused told of flags that are not supported, which are left out then
 * @throws UsageError for values that are wrong, and for what is not supported unless `onRefused` takes it
 */
export function draftKaniko(
  values: ParsedArguments['values'],
  env: Environment,
  onRefused?: (error: UsageError) => void,
): KanikoDraft {
  const draft = newDraft(env)
  for (const flag of KANIKO_FLAGS) {
    try {
      apply(flag, values[flag.name], draft)
    } catch (error) {
      if (!(error instanceof UsageError && /is not supported$/.test(error.message) && onRefused)) throw error
      onRefused(error)
    }
  }
  if (env.KANIKO_REGISTRY_MIRROR !== undefined)
    draft.mirrors = [...draft.mirrors, ['docker.io', env.KANIKO_REGISTRY_MIRROR]]
  draft.mirrors = [...draft.mirrors, ...registryMap(env.KANIKO_REGISTRY_MAP ?? '')]
  if (env.KANIKO_NO_PUSH !== undefined) draft.noPush = parseBoolean(env.KANIKO_NO_PUSH, 'no-push ($KANIKO_NO_PUSH)')
  draft.kanikoDir ??= env.KANIKO_DIR || undefined
  for (const name of Object.keys(env).sort())
    if (/^FF_KANIKO_|^KANIKO_(CLEANUP|PRE_CLEANUP|PRESERVE_CONTEXT)$/.test(name))
      draft.notes.push(`$${name} has no effect`)
  return draft
}

/** The parser stores a value of the row's own type, so the casts only name what it did. */
function apply(flag: KanikoFlag, value: unknown, draft: KanikoDraft): void {
  if (value === undefined) return
  if (flag.type === 'boolean') flag.set(draft, value as boolean)
  else if (flag.type === 'string') flag.set(draft, value as string)
  else flag.set(draft, value as readonly string[])
}
