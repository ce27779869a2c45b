/** The build command line while its flags are read: each flag's row writes into it. */
import type { BuildOptions } from '@tsbuild/builder'
import type { Environment } from '../../io.ts'

export const PROGRESS_MODES = ['auto', 'plain', 'tty', 'quiet', 'none', 'rawjson'] as const
export type ProgressMode = (typeof PROGRESS_MODES)[number]

/** What `--call` asks for in place of a build. */
export interface Call {
  readonly kind: 'check' | 'outline' | 'targets' | 'describe'
  readonly format: 'text' | 'json' | 'sarif'
  /** Exit 0 although there are findings. */
  readonly ignoreStatus: boolean
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export interface BuildDraft {
  readonly env: Environment
  readonly options: Mutable<BuildOptions>
  progress: ProgressMode | undefined
  quiet: boolean
  push: boolean
  load: boolean
  call: Call | undefined
  check: boolean
  fix: boolean
  iidfile: string | undefined
  metadataFile: string | undefined
  /** Attestations by type, in the order of the flags. */
  readonly attests: { readonly type: string; readonly text: string; readonly disabled: boolean }[]
  /** What was accepted but has no effect; printed before the build. */
  readonly notices: string[]
}

export function newDraft(env: Environment): BuildDraft {
  return {
    env,
    options: { env },
    progress: undefined,
    quiet: false,
    push: false,
    load: false,
    call: undefined,
    check: false,
    fix: false,
    iidfile: undefined,
    metadataFile: undefined,
    attests: [],
    notices: [],
  }
}
