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
    return this.#find(name)?.value
  }

  /** The state of a `switch`; undefined if it was not given. */
  state(name: keyof T & string): boolean | undefined {
    const flag = this.#find(name)
    return flag && flag.value?.toLowerCase() !== 'false'
  }

  /** Every `list` flag of the name, in order. */
  all(name: keyof T & string): readonly Flag[] {
    return this.#find(name) === undefined ? none : this.#flags.filter((flag) => flag.name === name)
  }

  #find(name: string): Flag | undefined {
    for (const flag of this.#flags) if (flag.name === name) return flag
    return undefined
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
    const kind = table[flag.name]
    // Names such as `constructor` find something else than a kind.
    if (typeof kind !== 'string') throw at(file, flag, instructionErrors.unknownFlag, [flag.name, Object.keys(table)])
    if (kind !== 'list') {
      if (once.includes(flag.name)) throw at(file, flag, instructionErrors.duplicateFlag, [flag.name])
      once.push(flag.name)
    }
    checkValue(flag, kind, file)
  }
  return new FlagValues(flags)
}

function checkValue(flag: Flag, kind: FlagKind, file: SourceFile): void {
  const { name, value } = flag
  if (kind !== 'switch') {
    if (value === undefined) throw at(file, flag, instructionErrors.flagWithoutValue, [name])
  } else if (value !== undefined) {
    if (value === '') throw at(file, flag, instructionErrors.flagWithoutValue, [name])
    if (!/^(true|false)$/i.test(value)) throw at(file, flag, instructionErrors.notBoolean, [name, value])
  }
}

function at<A extends readonly unknown[]>(file: SourceFile, flag: Flag, error: ErrorFactory<A>, args: A): BuildError {
  return error(args, { at: { file, range: flag.range } })
}
