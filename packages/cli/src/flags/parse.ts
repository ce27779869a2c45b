/** The parser of command lines, strict and with the conventions of docker's commands. */
import { UsageError } from '../usage-error.ts'
import type { FlagSpec, FlagValues } from './spec.ts'
import { suggest } from './suggest.ts'

/** What a command line says: values by flag name, and the words that are no flags. */
export interface ParsedArguments<F extends readonly FlagSpec[] = readonly FlagSpec[]> {
  readonly values: FlagValues<F>
  readonly words: readonly string[]
}

/** A table of flags made ready for lookups. */
export class FlagTable<F extends FlagSpec = FlagSpec> {
  readonly #byName = new Map<string, F>()
  readonly #byAlias = new Map<string, F>()

  constructor(flags: readonly F[]) {
    for (const flag of flags) {
      this.#byName.set(flag.name, flag)
      if (flag.alias) this.#byAlias.set(flag.alias, flag)
    }
  }

  /** @throws UsageError with a suggestion when there is no such flag */
  long(name: string): F {
    const flag = this.#byName.get(name)
    if (flag) return flag
    const close = suggest(name, this.#visibleNames())
    throw new UsageError(`unknown flag: --${name}`, close && `did you mean --${close}?`)
  }

  /** @param group the whole word, for the message */
  short(letter: string, group: string): F {
    const flag = this.#byAlias.get(letter)
    if (flag) return flag
    const long = group.slice(1).split('=')[0]!
    const close = long.length > 2 ? suggest(long, this.#visibleNames()) : undefined
    throw new UsageError(
      `unknown shorthand flag: '${letter}' in ${group}`,
      close && `did you mean --${close} (with two dashes)?`,
    )
  }

  /** The flag that a word such as `--root`, `--root=x` or `-D` names, if it is one of this table. */
  find(word: string): F | undefined {
    if (word.startsWith('--')) return this.#byName.get(word.slice(2).split('=')[0]!)
    return this.#byAlias.get(word.slice(1, 2))
  }

  *#visibleNames(): Iterable<string> {
    for (const flag of this.#byName.values()) if (!flag.hidden) yield flag.name
  }
}

/**
 * Parses `--flag value`, `--flag=value`, `-f value`, `-fvalue`, `-f=value`, `-abc` and `--`; flags and words may be mixed.
 *
 * @param options.stopAtWord everything after the first word that is no flag is a word too
 * @throws UsageError for an unknown flag, a missing value or a value that is not allowed
 */
export function parseArguments<const F extends readonly FlagSpec[]>(
  args: readonly string[],
  flags: F,
  options: { readonly stopAtWord?: boolean } = {},
): ParsedArguments<F> {
  const table = new FlagTable(flags)
  const values = new Map<string, boolean | string | string[]>()
  const words: string[] = []
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!
    if (word === '--') {
      words.push(...args.slice(i + 1))
      break
    }
    if (word === '-' || !word.startsWith('-')) {
      words.push(word)
      if (!options.stopAtWord) continue
      words.push(...args.slice(i + 1))
      break
    }
    if (word.startsWith('--')) i += parseLong(word, args[i + 1], table, values)
    else i += parseShort(word, args[i + 1], table, values)
  }
  return { values: Object.fromEntries(values) as FlagValues<F>, words }
}

type Values = Map<string, boolean | string | string[]>

/** @returns how many following words were taken as the value */
function parseLong(word: string, next: string | undefined, table: FlagTable, values: Values): number {
  const equals = word.indexOf('=')
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals)
  const flag = table.long(name)
  if (equals >= 0) {
    store(flag, word.slice(equals + 1), values)
    return 0
  }
  if (flag.type === 'boolean') {
    values.set(flag.name, true)
    return 0
  }
  if (next === undefined) throw new UsageError(`flag needs an argument: --${flag.name}`)
  store(flag, next, values)
  return 1
}

/** Parses a group of one-letter flags, of which the last may take a value. */
function parseShort(word: string, next: string | undefined, table: FlagTable, values: Values): number {
  for (let i = 1; i < word.length; i++) {
    const letter = word[i]!
    const flag = table.short(letter, word)
    const rest = word.slice(i + 1)
    if (flag.type === 'boolean' && !rest.startsWith('=')) {
      values.set(flag.name, true)
      continue
    }
    if (rest !== '') {
      store(flag, rest.startsWith('=') ? rest.slice(1) : rest, values)
      return 0
    }
    if (next === undefined) throw new UsageError(`flag needs an argument: '${letter}' in ${word}`)
    store(flag, next, values)
    return 1
  }
  return 0
}

function store(flag: FlagSpec, raw: string, values: Values): void {
  if (flag.type === 'boolean') {
    values.set(flag.name, parseBoolean(raw, flag.name))
    return
  }
  const items = flag.type === 'slice' ? raw.split(',').filter((item) => item !== '') : [raw]
  if (flag.choices) for (const item of items) checkChoice(flag, item)
  if (flag.type === 'string') values.set(flag.name, raw)
  else values.set(flag.name, [...((values.get(flag.name) as string[] | undefined) ?? []), ...items])
}

function checkChoice(flag: FlagSpec, value: string): void {
  const choices = flag.choices ?? []
  if (choices.includes(value)) return
  const close = suggest(value, choices)
  throw new UsageError(
    `invalid argument ${JSON.stringify(value)} for --${flag.name}: it must be one of ${choices.join(', ')}`,
    close && `did you mean ${close}?`,
  )
}

const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True'])
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False'])

/** A boolean as Go's programs spell them. */
export function parseBoolean(raw: string, flag: string): boolean {
  if (TRUE.has(raw)) return true
  if (FALSE.has(raw)) return false
  throw new UsageError(`invalid argument ${JSON.stringify(raw)} for --${flag}: it must be true or false`)
}
