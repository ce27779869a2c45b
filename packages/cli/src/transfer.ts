/** What commands that move images have in common: their flags and the display of their progress. */
import type { CommandContext } from './command.ts'
import type { ProgressMode } from './flags/build/draft.ts'
import type { FlagSpec, FlagValues } from './flags/spec.ts'
import { type ProgressDisplay, startProgress } from './progress/index.ts'

export const TRANSFER_FLAGS = [
  {
    name: 'progress',
    type: 'string',
    value: 'STYLE',
    choices: ['auto', 'plain', 'tty', 'quiet', 'rawjson'],
    help: 'How progress is shown: auto, plain, tty, quiet or rawjson (default auto)',
  },
  { name: 'quiet', alias: 'q', type: 'boolean', help: 'Show no progress' },
] as const satisfies readonly FlagSpec[]

/** Starts showing the progress of a transfer on stderr. */
export function transferDisplay(values: FlagValues<typeof TRANSFER_FLAGS>, { io }: CommandContext): ProgressDisplay {
  // The parser has checked the choices.
  const mode = values.quiet ? 'quiet' : ((values.progress ?? 'auto') as ProgressMode)
  return startProgress(mode, io.stderr, io.env)
}
