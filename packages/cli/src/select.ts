/** Which command a command line is for: `build` unless its first word is the name of another one. */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { CommandEntry } from './command.ts'
import { COMMANDS, findCommand } from './commands/index.ts'
import { dockerHabit } from './docker-habits.ts'
import { GLOBAL_FLAGS } from './flags/global.ts'
import { FlagTable } from './flags/parse.ts'
import { suggest } from './flags/suggest.ts'
import type { Io } from './io.ts'
import { UsageError } from './usage-error.ts'

export interface Selection {
  readonly entry: CommandEntry
  /** Everything but the command's name. */
  readonly args: readonly string[]
  /** No command is named, so it is `build`. */
  readonly implied?: boolean
}

/**
 * Global flags may stand before the command. A first word that is neither a command nor a directory nor looks like a
 * path or URL is taken for a mistyped command, unless more words follow and it is like no command.
 *
 * @returns undefined when there is nothing to do but to show the overview
 * @throws UsageError for an unknown command
 */
export function selectCommand(argv: readonly string[], io: Pick<Io, 'cwd'>): Selection | undefined {
  const at = skipGlobalFlags(argv)
  const word = argv[at]
  if (word === undefined) return undefined
  const entry = findCommand(word)
  if (entry) return { entry, args: omit(argv, at) }
  if (VERSION_FLAGS.has(word)) return { entry: findCommand('version')!, args: omit(argv, at) }
  if (/^[\w-]+$/.test(word) && !word.startsWith('-') && !isDirectory(resolve(io.cwd, word)))
    refuseUnknown(argv.slice(at))
  return { entry: findCommand('build')!, args: argv, implied: true }
}

/**
 * What was meant by a command line that names a command behind flags that are not global: `-q images` is no build of a
 * directory `images`, unless there is one.
 *
 * @returns the whole command line as it has to be written
 */
export function commandBehindFlags(argv: readonly string[], io: Pick<Io, 'cwd'>): string | undefined {
  const at = argv.findIndex((word) => findCommand(word) !== undefined && !isDirectory(resolve(io.cwd, word)))
  return at < 0 ? undefined : ['tsbuild', argv[at]!, ...omit(argv, at)].map(forShell).join(' ')
}

const forShell = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

/** As docker and Node have them. */
const VERSION_FLAGS: ReadonlySet<string> = new Set(['--version', '-v'])

const omit = (argv: readonly string[], at: number): string[] => [...argv.slice(0, at), ...argv.slice(at + 1)]

/** @throws UsageError unless the words may be a build of a directory that is missing */
function refuseUnknown(words: readonly string[]): void {
  const habit = dockerHabit(words)
  if (habit) throw new UsageError(`tsbuild has no command ${habit.command}`, habit.hint)
  const [word] = words
  const close = suggest(
    word!,
    COMMANDS.map((command) => command.name),
  )
  if (close === undefined && words.length > 1) return
  throw new UsageError(
    `unknown command: ${word}`,
    close ? `did you mean tsbuild ${close}?` : 'tsbuild help lists all commands',
  )
}

/** The index of the first word that is no global flag. */
function skipGlobalFlags(argv: readonly string[]): number {
  const table = new FlagTable(GLOBAL_FLAGS)
  let at = 0
  while (at < argv.length) {
    const word = argv[at]!
    if (!word.startsWith('-') || word.length < 2) break
    const flag = table.find(word)
    if (!flag) break
    const hasValue = flag.type !== 'boolean' && !word.includes('=')
    at += hasValue ? 2 : 1
  }
  return at
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
