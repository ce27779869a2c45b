/** The rows of the table of kaniko's flags, each with what becomes of the flag here. */
import type { SettingFlag } from '../flags/spec.ts'
import { UsageError } from '../usage-error.ts'
import type { KanikoDraft } from './draft.ts'

/** `works`: does what it does in kaniko. `none`: accepted, has no effect. `refused`: the command fails. */
export type Effect = 'works' | 'none' | 'refused'

export type KanikoFlag = SettingFlag<KanikoDraft> & {
  readonly effect: Effect
  /** For docs/migrate-kaniko.md: how it works, why it has no effect, or what to use instead. One sentence without a full stop. */
  readonly note: string
}

/** Where a flag stands in the table. */
type Head = Pick<KanikoFlag, 'name' | 'note'> & { readonly alias?: string; readonly hidden?: boolean }
type Valued = Head & { readonly value: string; readonly choices?: readonly string[] }

/** A switch that works. */
export function works(head: Head, set: (draft: KanikoDraft, value: boolean) => void): KanikoFlag {
  return { ...head, type: 'boolean', effect: 'works', help: head.note, set }
}

/** A flag with one value that works. */
export function worksWith(head: Valued, set: (draft: KanikoDraft, value: string) => void): KanikoFlag {
  return { ...head, type: 'string', effect: 'works', help: head.note, set }
}

/** A flag that may be repeated and works. */
export function worksWithAll(head: Valued, set: (draft: KanikoDraft, values: readonly string[]) => void): KanikoFlag {
  return { ...head, type: 'list', effect: 'works', help: `${head.note} (repeatable)`, set }
}

/** A flag without effect; a switch when it has no placeholder of a value. */
export function noEffect(head: Head & Partial<Valued>): KanikoFlag {
  const row = { ...head, effect: 'none', help: `No effect: ${head.note}` } as const
  const set = (draft: KanikoDraft): void => {
    draft.notes.push(`--${head.name} has no effect: ${head.note}`)
  }
  return head.value === undefined ? { ...row, type: 'boolean', set } : { ...row, type: 'list', set }
}

/** A flag that fails the command, unless it is a switch that is off; the note is the hint. */
export function refused(head: Head & Partial<Valued>): KanikoFlag {
  const row = { ...head, effect: 'refused', help: `Not supported: ${head.note}` } as const
  const refuse = (): never => {
    throw new UsageError(`--${head.name} is not supported`, head.note)
  }
  return head.value === undefined
    ? { ...row, type: 'boolean', set: (_draft, value) => void (value && refuse()) }
    : { ...row, type: 'list', set: refuse }
}

/** `KEY=VALUE`, in kaniko's words when it is none. */
export function pairOf(text: string, flag: string): [key: string, value: string] {
  const equals = text.indexOf('=')
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)]
  throw new UsageError(
    `invalid argument ${JSON.stringify(text)} for --${flag}: invalid argument value. expect key=value, got ${text}`,
  )
}
