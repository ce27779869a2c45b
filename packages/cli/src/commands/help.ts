/** `tsbuild help`. */
import { defineCommand } from '../command.ts'
import { dockerHabit } from '../docker-habits.ts'
import { EXIT } from '../exit-codes.ts'
import { suggest } from '../flags/suggest.ts'
import { commandHelp, overview } from '../help.ts'
import { write } from '../io.ts'
import { UsageError } from '../usage-error.ts'

export const command = defineCommand({
  name: 'help',
  usage: ['help [COMMAND]'],
  arity: { min: 0, max: 1 },
  flags: [],
  examples: [
    { text: 'List all commands', command: 'tsbuild help' },
    { text: 'Show the flags of a command', command: 'tsbuild help push' },
  ],
  async run({ words }, { io, commands }) {
    const [name] = words
    if (name === undefined) {
      await write(io.stdout, overview(commands))
      return EXIT.ok
    }
    const entry = commands.find((known) => known.name === name)
    if (!entry) {
      const habit = dockerHabit([name])
      if (habit) throw new UsageError(`tsbuild has no command ${name}`, habit.hint)
      const close = suggest(
        name,
        commands.map((command) => command.name),
      )
      throw new UsageError(`unknown command: ${name}`, close && `did you mean tsbuild help ${close}?`)
    }
    const { command } = await entry.load()
    await write(io.stdout, commandHelp(command, entry.summary))
    return EXIT.ok
  },
})
