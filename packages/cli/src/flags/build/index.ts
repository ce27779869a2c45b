/** The table of all build flags, and how a parsed command line becomes a build request. */
import type { Environment } from '../../io.ts'
import type { ParsedArguments } from '../parse.ts'
import type { FlagSpec } from '../spec.ts'
import { CACHE_FLAGS } from './cache-flags.ts'
import { type BuildDraft, newDraft } from './draft.ts'
import { IMAGE_FLAGS } from './image-flags.ts'
import { INPUT_FLAGS } from './input-flags.ts'
import { CALL_FLAGS, COMPATIBILITY_FLAGS, DISPLAY_FLAGS } from './other-flags.ts'
import type { BuildFlag } from './row.ts'
import { RUN_FLAGS } from './run-flags.ts'

/** The sections of the help, in its order. */
export const BUILD_SECTIONS: readonly { readonly title: string; readonly flags: readonly BuildFlag[] }[] = [
  { title: 'Image and outputs', flags: IMAGE_FLAGS },
  { title: 'Inputs', flags: INPUT_FLAGS },
  { title: 'Cache', flags: CACHE_FLAGS },
  { title: 'RUN steps', flags: RUN_FLAGS },
  { title: 'Checks', flags: CALL_FLAGS },
  { title: 'Progress', flags: DISPLAY_FLAGS },
  { title: 'Compatibility', flags: COMPATIBILITY_FLAGS },
]

/** Every build flag. */
export const BUILD_FLAGS: readonly BuildFlag[] = BUILD_SECTIONS.flatMap((section) => section.flags)

/** Lets each flag that was given write into a new draft, in the order of the table. */
export function draftBuild(values: ParsedArguments<readonly FlagSpec[]>['values'], env: Environment): BuildDraft {
  const draft = newDraft(env)
  for (const flag of BUILD_FLAGS) apply(flag, values[flag.name], draft)
  return draft
}

/** The parser stores a value of the row's own type, so the casts only name what it did. */
function apply(flag: BuildFlag, value: unknown, draft: BuildDraft): void {
  if (value === undefined) return
  if (flag.type === 'boolean') flag.set(draft, value as boolean)
  else if (flag.type === 'string') flag.set(draft, value as string)
  else flag.set(draft, value as readonly string[])
}
