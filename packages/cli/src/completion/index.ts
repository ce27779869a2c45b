/** Shell completion: a script per shell, made from the tables of commands and flags. */
import type { FlagSpec } from '../flags/spec.ts'
import { bashScript } from './bash.ts'
import { fishScript } from './fish.ts'
import { zshScript } from './zsh.ts'

export interface CompletionCommand {
  readonly name: string
  readonly summary: string
  readonly flags: readonly FlagSpec[]
}

export interface CompletionData {
  readonly commands: readonly CompletionCommand[]
}

export const SHELLS: ReadonlyMap<string, (data: CompletionData) => string> = new Map([
  ['bash', bashScript],
  ['zsh', zshScript],
  ['fish', fishScript],
])
