/** The story of a command line: argv → command → exit code. */
import { type Arity, type Command, commandFlags } from './command.ts'
import { COMMANDS, findCommand } from './commands/index.ts'
import { isUsageError } from './error-kind.ts'
import { EXIT } from './exit-codes.ts'
import { globalOptions } from './flags/global.ts'
import { type ParsedArguments, parseArguments } from './flags/parse.ts'
import { type Io, write } from './io.ts'
import { commandBehindFlags, type Selection, selectCommand } from './select.ts'
import type { SignalTrap } from './signals.ts'
import { UsageError } from './usage-error.ts'

/**
 * Runs one command line.
 *
 * @param argv without the names of Node and the program
 * @returns the exit code
 */
export async function main(argv: readonly string[], io: Io, trap: SignalTrap): Promise<number> {
  let debug = argv.includes('-D') || argv.includes('--debug')
  let usageCode: number | undefined
  try {
    const selection = selectCommand(argv, io)
    if (!selection) return await showOverview(io)
    const { command } = await selection.entry.load()
    usageCode = command.usageCode
    // Where -h means something else (run's host name), alone it still asks for help.
    const args = selection.args.length === 1 && selection.args[0] === '-h' ? ['--help'] : selection.args
    const input = parse(command, args, selection, io)
    if (input.values.help) {
      const { commandHelp } = await import('./help.ts')
      await write(io.stdout, commandHelp(command, selection.entry.summary))
      return EXIT.ok
    }
    const global = globalOptions(input.values)
    debug = global.debug
    checkArity(command.name, input.words, command.arity)
    const code = await command.run(input, { io, signal: trap.signal, global, commands: COMMANDS })
    return trap.exitCode ?? code
  } catch (error) {
    return await fail(error, { io, trap, debug, usageCode })
  }
}

/** @throws UsageError, also for a command behind flags that are its own */
function parse(command: Command, args: readonly string[], { implied }: Selection, io: Io): ParsedArguments {
  const meant = implied ? commandBehindFlags(args, io) : undefined
  const hint = meant === undefined ? undefined : `the flags of a command stand behind its name: ${meant}`
  try {
    const input = parseArguments(args, commandFlags(command), { stopAtWord: command.stopAtWord ?? false })
    const name = hint === undefined ? undefined : input.words.find((word) => findCommand(word))
    if (name === undefined) return input
    throw new UsageError(`there is no directory ${name} that could be built`, hint)
  } catch (error) {
    if (hint === undefined || !(error instanceof UsageError)) throw error
    throw new UsageError(error.message, error.hint ?? hint)
  }
}

/** What a failure is shown by. */
interface Failing {
  readonly io: Io
  readonly trap: SignalTrap
  readonly debug: boolean
  readonly usageCode?: number | undefined
}

/** Shows an error, unless it only says that the command was told to stop, and returns the exit code it stands for. */
export async function fail(error: unknown, { io, trap, debug, usageCode = EXIT.usage }: Failing): Promise<number> {
  if (trap.exitCode !== undefined) {
    await write(io.stderr, 'ERROR: canceled\n')
    return trap.exitCode
  }
  if (trap.signal.aborted) return EXIT.failed
  const { renderError } = await import('./render-error.ts')
  await write(io.stderr, await renderError(error, { debug }))
  return (await isUsageError(error)) ? usageCode : EXIT.failed
}

function checkArity(name: string, words: readonly string[], { min, max }: Arity): void {
  if (words.length >= min && words.length <= (max ?? Number.POSITIVE_INFINITY)) return
  const count = (n: number): string => (n === 0 ? 'no arguments' : `${n} ${n === 1 ? 'argument' : 'arguments'}`)
  const wanted = max === undefined ? `at least ${count(min)}` : min === max ? count(max) : `${min} to ${count(max)}`
  throw new UsageError(
    `tsbuild ${name} takes ${wanted}, not ${words.length}`,
    `tsbuild ${name} --help shows how it is used`,
  )
}

async function showOverview(io: Io): Promise<number> {
  const { overview } = await import('./help.ts')
  await write(io.stdout, overview(COMMANDS))
  return EXIT.ok
}
