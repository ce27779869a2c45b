/** `tsbuild completion`. */
import { type CommandEntry, commandFlags, defineCommand } from '../command.ts'
import type { CompletionData } from '../completion/data.ts'
import { SHELLS } from '../completion/index.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { UsageError } from '../usage-error.ts'

export const command = defineCommand({
  name: 'completion',
  usage: ['completion bash|zsh|fish'],
  description: 'Prints a script that completes commands, flags and their values.',
  arity: { min: 1, max: 1 },
  flags: [],
  examples: [
    { text: 'bash', command: 'tsbuild completion bash > ~/.local/share/bash-completion/completions/tsbuild' },
    { text: 'zsh, into a directory of $fpath', command: 'tsbuild completion zsh > ~/.zsh/completions/_tsbuild' },
    { text: 'fish', command: 'tsbuild completion fish > ~/.config/fish/completions/tsbuild.fish' },
  ],
  async run({ words }, { io, commands }) {
    const script = SHELLS.get(words[0]!)
    if (!script) throw new UsageError(`unknown shell: ${words[0]}`, `the shells are ${[...SHELLS.keys()].join(', ')}`)
    await write(io.stdout, script(await completionData(commands)))
    return EXIT.ok
  },
})

async function completionData(table: readonly CommandEntry[]): Promise<CompletionData> {
  const commands = await Promise.all(
    table.map(async (entry) => {
      const { command } = await entry.load()
      return { name: entry.name, summary: entry.summary, flags: commandFlags(command).filter((flag) => !flag.hidden) }
    }),
  )
  return { commands }
}
