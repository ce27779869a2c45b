/** What commands that move images have in common: their flags, and how they copy and show it. */
import type { CopyOptions, CopyResult, Source, Target } from '@tsbuild/registry-client'
import type { CommandContext } from './command.ts'
import { PROGRESS_MODES, type ProgressMode } from './flags/build/draft.ts'
import type { FlagSpec, FlagValues } from './flags/spec.ts'
import { startProgress } from './progress/index.ts'

export const TRANSFER_FLAGS = [
  {
    name: 'progress',
    type: 'string',
    value: 'STYLE',
    choices: PROGRESS_MODES,
    help: 'How progress is shown: auto, plain, tty, quiet, none or rawjson (default auto)',
  },
  { name: 'quiet', alias: 'q', type: 'boolean', help: 'Show no progress' },
] as const satisfies readonly FlagSpec[]

/** What else may be taken along. */
export const EXTRA_FLAGS = [
  { name: 'referrers', type: 'boolean', help: 'Copy signatures, attestations and whatever else refers to the image' },
  {
    name: 'allow-nondistributable',
    type: 'boolean',
    help: 'Copy layers, too, that a registry need not have because their manifest says where else they are',
  },
] as const satisfies readonly FlagSpec[]

/** The options that {@link EXTRA_FLAGS} stand for. */
export function extraOptions(values: FlagValues<typeof EXTRA_FLAGS>): CopyOptions {
  return { referrers: values.referrers, nondistributable: values['allow-nondistributable'] }
}

/** One image on its way. */
export interface Transfer {
  /** The line of progress: `pull docker.io/library/alpine:3`. */
  readonly title: string
  readonly source: Source
  readonly reference: string
  readonly target: Target
  readonly tags: readonly string[]
  readonly options?: CopyOptions
}

/** Copies an image and shows it as one step on stderr. */
export async function transfer(
  { title, source, reference, target, tags, options }: Transfer,
  values: FlagValues<typeof TRANSFER_FLAGS>,
  { io, signal }: CommandContext,
): Promise<CopyResult> {
  const { copy } = await import('@tsbuild/registry-client')
  // The parser has checked the choices.
  const mode = values.quiet ? 'quiet' : ((values.progress ?? 'auto') as ProgressMode)
  using display = startProgress(mode, io.stderr, io.env)
  const { listener } = display
  const id = title
  listener({ type: 'started', vertex: { id, name: title }, time: Date.now() })
  try {
    const result = await copy(source, reference, target, tags, {
      ...options,
      signal,
      onProgress: ({ descriptor, transferred, result: arrived }) => {
        const current = arrived ? descriptor.size : transferred
        listener({ type: 'progress', id, item: descriptor.digest, current, total: descriptor.size, time: Date.now() })
      },
    })
    listener({ type: 'done', id, time: Date.now() })
    return result
  } catch (error) {
    if (signal.aborted) listener({ type: 'canceled', id, time: Date.now() })
    else
      listener({
        type: 'failed',
        id,
        message: error instanceof Error ? error.message : String(error),
        time: Date.now(),
      })
    throw error
  }
}
