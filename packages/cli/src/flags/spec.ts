/** Flags: one table row each. The parser, the help, the completion and docs/cli.md all read these rows. */

interface FlagBase {
  /** Long name without dashes. */
  readonly name: string
  /** One letter. */
  readonly alias?: string
  /** One sentence without a full stop. */
  readonly help: string
  /** Placeholder of the value in the help. */
  readonly value?: string
  /** The only values allowed; also what completion offers. */
  readonly choices?: readonly string[]
  /** What completion offers for the value. */
  readonly completes?: 'file' | 'directory' | 'image'
  /** Parsed, but left out of help and completion. */
  readonly hidden?: boolean
}

/**
 * How often a flag counts and what its value is: `boolean` takes none (or `=true|false`), `string` keeps the last one,
 * `list` keeps every one as it is, `slice` splits every one at commas.
 */
export type FlagType = 'boolean' | 'string' | 'list' | 'slice'

/** One flag. */
export interface FlagSpec extends FlagBase {
  readonly type: FlagType
}

/** A flag whose row also says what it does to a draft of options. */
export type SettingFlag<D> =
  | (FlagBase & { readonly type: 'boolean'; set(draft: D, value: boolean): void })
  | (FlagBase & { readonly type: 'string'; set(draft: D, value: string): void })
  | (FlagBase & { readonly type: 'list' | 'slice'; set(draft: D, values: readonly string[]): void })

type ValueOf<T extends FlagType> = T extends 'boolean' ? boolean : T extends 'string' ? string : readonly string[]

/** The parsed values of a table of flags, by name; what was not given is absent. */
export type FlagValues<F extends readonly FlagSpec[]> = {
  readonly [S in F[number] as S['name']]?: ValueOf<S['type']>
}
