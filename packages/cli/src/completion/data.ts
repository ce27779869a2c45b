/** What completion scripts are made from. */
import type { FlagSpec } from '../flags/spec.ts'

export interface CompletionCommand {
  readonly name: string
  readonly summary: string
  readonly flags: readonly FlagSpec[]
}

export interface CompletionData {
  readonly commands: readonly CompletionCommand[]
}
