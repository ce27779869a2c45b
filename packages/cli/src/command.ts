/** What a command is: a row for the help, a table of flags, and what it does. */
import { GLOBAL_FLAGS, type GlobalOptions } from './flags/global.ts'
import type { ParsedArguments } from './flags/parse.ts'
import type { FlagSpec } from './flags/spec.ts'
import type { Io } from './io.ts'

/** What a command works with beside its own arguments. */
export interface CommandContext {
  readonly io: Io
  /** Aborted by Ctrl-C, by a termination signal, and when nobody reads the output any more. */
  readonly signal: AbortSignal
  readonly global: GlobalOptions
  /** The table of all commands, for those that tell of them. */
  readonly commands: readonly CommandEntry[]
}

/** A row of the table of commands. */
export interface CommandEntry {
  readonly name: string
  readonly summary: string
  readonly group: 'Building' | 'Images' | 'Registries' | 'Other'
  load(): Promise<{ readonly command: Command }>
}

export interface Example {
  readonly text: string
  readonly command: string
}

/** How many words that are no flags a command takes. */
export interface Arity {
  readonly min: number
  /** Without a bound when absent. */
  readonly max?: number
}

interface CommandBase {
  readonly name: string
  /** What follows the name in the usage lines: `[FLAGS] IMAGE`. */
  readonly usage: readonly string[]
  /** A paragraph for the help, beyond the summary. */
  readonly description?: string
  readonly arity: Arity
  readonly examples: readonly Example[]
  /** Exit code of a wrong command line; default 2. */
  readonly usageCode?: number
}

/** A section of flags in the help. */
export interface FlagSection {
  readonly title: string
  readonly flags: readonly FlagSpec[]
}

/** A command, its flags' types forgotten. */
export interface Command extends CommandBase {
  /** Its own flags in the sections of the help. */
  readonly sections: readonly FlagSection[]
  /** Words may begin with a dash and belong to somebody else from the first one that is no flag on. */
  readonly stopAtWord?: boolean
  /** Runs it and returns the exit code. @throws UsageError, BuildError, RegistryError, system errors */
  run(input: ParsedArguments, context: CommandContext): Promise<number>
}

/** Makes a command whose `run` knows the types of its flags. */
export function defineCommand<const F extends readonly FlagSpec[]>(
  command: CommandBase & {
    readonly flags: F
    readonly stopAtWord?: boolean
    run(input: ParsedArguments<F>, context: CommandContext): Promise<number>
  },
): Command {
  const { flags, run, ...rest } = command
  return {
    ...rest,
    sections: flags.length > 0 ? [{ title: 'Flags', flags }] : [],
    // The parser is given the same table, so its values have the types of F.
    run: (input, context) => run(input as ParsedArguments<F>, context),
  }
}

/** Every flag a command takes, the global ones last. */
export function commandFlags(command: Command): readonly FlagSpec[] {
  return [...command.sections.flatMap((section) => section.flags), ...globalFlags(command)]
}

/** The flags of every command, without letters that mean something else here: -h is a host name to `run`, as in docker. */
export function globalFlags(command: Command): readonly FlagSpec[] {
  const taken = new Set(command.sections.flatMap((section) => section.flags.map((flag) => flag.alias)))
  const names = new Set(command.sections.flatMap((section) => section.flags.map((flag) => flag.name)))
  return GLOBAL_FLAGS.filter((flag) => !names.has(flag.name)).map((flag: FlagSpec): FlagSpec => {
    const { alias, ...rest } = flag
    return alias !== undefined && taken.has(alias) ? rest : flag
  })
}
