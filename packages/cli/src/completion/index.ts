/** Shell completion: a script per shell, made from the tables of commands and flags. */
import { bashScript } from './bash.ts'
import type { CompletionData } from './data.ts'
import { fishScript } from './fish.ts'
import { zshScript } from './zsh.ts'

export const SHELLS: ReadonlyMap<string, (data: CompletionData) => string> = new Map([
  ['bash', bashScript],
  ['zsh', zshScript],
  ['fish', fishScript],
])
