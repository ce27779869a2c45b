/** Flags of instructions: which exist, which values they take. */
import type { Flag, RawInstruction } from '../dockerfile/ast.ts'
import type { BuildError, ErrorFactory } from '../errors.ts'
import type { SourceFile } from '../source.ts'
import { instructionErrors } from './errors.ts'

/** `switch`: --x, --x=true, --x=false; `value`: --x=…; `list`: --x=… any number of times. */
export type FlagKind = 'switch' | 'value' | 'list'

/** Flags of an instruction by name, without dashes. */
export type FlagTable = Readonly<Record<string, FlagKind>>

const none: readonly Flag[] = []

/** The flags that an instruction was given, checked against its table. */
export class FlagValues<T extends FlagTable> {
  readonly #flags: readonly Flag[]

  constructor(flags: readonly Flag[]) {
    this.#flags = flags
  }

  /** The value of a `value` flag; undefined if it was not given. */
  value(name: keyof T & string): string | undefined {
    return this.#flags.find((flag) => flag.name === name)?.value
  }

  /** The state of a `switch`; undefined if it was not given. */
  state(name: keyof T & string): boolean | undefined {
    const flag = this.#flags.find((given) => given.name === name)
    return flag && flag.value?.toLowerCase() !== 'false'
  }

  /** Every `list` flag of the name, in order. */
  all(name: keyof T & string): readonly Flag[] {
    return this.#flags.length === 0 ? none : this.#flags.filter((flag) => flag.name === name)
  }
}

const noFlags = new FlagValues<FlagTable>(none)

/**
 * Checks the flags of an instruction.
 *
 * @throws FLAG_UNKNOWN, FLAG_DUPLICATE, FLAG_WITHOUT_VALUE, FLAG_NOT_BOOLEAN, placed at the flag
 */
export function readFlags<const T extends FlagTable>(raw: RawInstruction, table: T, file: SourceFile): FlagValues<T> {
  const { flags } = raw
  if (flags.length === 0) return noFlags
  // Holds each name at most once, so it stays as short as the table.
  const once: string[] = []
  for (const flag of flags) {
    const { name, value } = flag
    const wrong = <A extends readonly unknown[]>(error: ErrorFactory<A>, args: A): BuildError =>
      error(args, { at: { file, range: flag.range } })
    const kind = Object.hasOwn(table, name) ? table[name] : undefined
    if (kind === undefined) throw wrong(instructionErrors.unknownFlag, [name, Object.keys(table)])
    if (kind !== 'list') {
      if (once.includes(name)) throw wrong(instructionErrors.duplicateFlag, [name])
      once.push(name)
    }
    if (kind === 'switch' ? value === '' : value === undefined) throw wrong(instructionErrors.flagWithoutValue, [name])
    if (kind === 'switch' && value !== undefined && !/^(true|false)$/i.test(value)) {
      throw wrong(instructionErrors.notBoolean, [name, value])
    }
  }
  return new FlagValues(flags)
}
