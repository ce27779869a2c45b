/** `tsbuild migrate`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import type { Migration } from '../migrate/migration.ts'
import { ShellLine } from '../migrate/shell-words.ts'
import { escapeText } from '../progress/escape.ts'
import { UsageError } from '../usage-error.ts'

export const command = defineCommand({
  name: 'migrate',
  usage: ["migrate kaniko|docker|buildah|podman 'COMMAND LINE'"],
  description:
    'Prints the tsbuild command that does what a command line of another tool does, quoted for a shell. Variables and other expansions stay as they are. What has no counterpart is told on stderr.',
  arity: { min: 2, max: 2 },
  flags: [],
  examples: [
    {
      text: 'A job of kaniko',
      command: `tsbuild migrate kaniko 'executor --context . --destination "$IMAGE:$TAG" --cache=true'`,
    },
    { text: 'A build of podman', command: "tsbuild migrate podman 'podman build --format docker -t app .'" },
  ],
  async run({ words: [tool, text = ''] }, { io }) {
    const line = new ShellLine(text)
    const { words, stdin, notes } = await migrate(tool!, line)
    for (const note of notes) await write(io.stderr, `NOTE: ${escapeText(line.plain(note))}\n`)
    const source = stdin === undefined ? '' : ` < ${line.quote(stdin)}`
    await write(io.stdout, `${words.map((word) => line.quote(word)).join(' ')}${source}\n`)
    return EXIT.ok
  },
})

async function migrate(tool: string, line: ShellLine): Promise<Migration> {
  if (tool === 'kaniko') return (await import('../migrate/kaniko.ts')).migrateKaniko(line)
  if (tool === 'docker' || tool === 'podman' || tool === 'buildah')
    return (await import('../migrate/docker.ts')).migrateBuild(line, tool)
  throw new UsageError(`unknown tool: ${tool}`, 'the tools are kaniko, docker, buildah and podman')
}
