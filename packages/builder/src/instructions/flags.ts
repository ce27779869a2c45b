/** Flags of instructions: which exist, which values they take. */
import type { Flag, RawInstruction } from '../dockerfile/ast.ts'
import type { SourceFile } from '../source.ts'
import { instructionErrors } from './errors.ts'

/** `switch`: --x, --x=true, --x=false; `value`: --x=…; `list`: --x=… any number of times. */
export type FlagKind = 'switch' | 'value' | 'list'

/** Flags of an instruction by name, without dashes. */
export type FlagTable = Readonly<Record<string, FlagKind>>

/** The flags that an instruction was given, checked against its table. */
export class FlagValues<T extends FlagTable> {
  readonly #flags: ReadonlyMap<string, readonly Flag[]>

  constructor(flags: ReadonlyMap<string, readonly Flag[]>) {
    this.#flags = flags
  }

  /** The value of a `value` flag; undefined if it was not given. */
  value(name: keyof T & string): string | undefined {
    return this.#flags.get(name)?.[0]?.value
  }

  /** The state of a `switch`; undefined if it was not given. */
  state(name: keyof T & string): boolean | undefined {
    const flag = this.#flags.get(name)?.[0]
    return flag && flag.value?.toLowerCase() !== 'false'
  }

  /** Every `list` flag of the name, in order. */
  all(name: keyof T & string): readonly Flag[] {
    return this.#flags.get(name) ?? []
  }
}

/**
 * Checks the flags of an instruction.
 *
 * @throws FLAG_UNKNOWN, FLAG_DUPLICATE, FLAG_WITHOUT_VALUE, FLAG_NOT_BOOLEAN, placed at the flag
 */
export function readFlags<const T extends FlagTable>(raw: RawInstruction, table: T, file: SourceFile): FlagValues<T> {
  const given = new Map<string, Flag[]>()
  for (const flag of raw.flags) {
    const { name, value } = flag
    const at = { file, range: flag.range }
    const kind = Object.hasOwn(table, name) ? table[name] : undefined
    if (kind === undefined) throw instructionErrors.unknownFlag([name, Object.keys(table)], { at })
    const before = given.get(name)
    if (before && kind !== 'list') throw instructionErrors.duplicateFlag([name], { at })
    if (kind === 'switch' ? value === '' : value === undefined) throw instructionErrors.flagWithoutValue([name], { at })
    if (kind === 'switch' && value !== undefined && !/^(true|false)$/i.test(value)) {
      throw instructionErrors.notBoolean([name, value], { at })
    }
    if (before) before.push(flag)
    else given.set(name, [flag])
  }
  return new FlagValues(given)
}
