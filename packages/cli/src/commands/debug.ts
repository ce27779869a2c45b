/** `tsbuild debug`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { ISOLATION_CHOICES, parseIsolation } from '../flags/build/isolation.ts'
import { write } from '../io.ts'
import { CONSOLE_FLAGS, openConsole, runToEnd } from '../run/console.ts'
import { formatAge, renderTable } from '../table.ts'

export const command = defineCommand({
  name: 'debug',
  usage: ['debug [FLAGS]', 'debug [FLAGS] NAME [COMMAND] [ARGUMENT…]'],
  description:
    'Opens a shell, or runs another program, where a RUN has failed that was built with --on-error keep: in the root filesystem as the RUN left it, with its variables, directory, user, caches and binds, but without its secrets. What is changed there is thrown away, so that it can be entered again. Without a name, lists what is kept; tsbuild prune deletes it.',
  arity: { min: 0 },
  stopAtWord: true,
  flags: [
    ...CONSOLE_FLAGS,
    {
      name: 'isolation',
      type: 'string',
      value: 'LEVEL',
      choices: ISOLATION_CHOICES,
      help: 'auto, namespaces, oci or chroot (default auto)',
    },
    { name: 'oci-runtime', type: 'string', value: 'PATH', completes: 'file', help: 'Runtime of --isolation oci' },
    {
      name: 'format',
      type: 'string',
      value: 'FORMAT',
      choices: ['table', 'json'],
      help: 'How the list is printed: table or json (default table)',
    },
  ],
  examples: [
    { text: 'Keep what a failed RUN leaves', command: 'tsbuild --on-error keep .' },
    { text: 'Look around in it', command: 'tsbuild debug failed-1a2b3c4d' },
    { text: 'Take a file out of it', command: 'tsbuild debug failed-1a2b3c4d cat /src/report.xml > report.xml' },
  ],
  async run({ values, words: [name, ...args] }, context) {
    const { io, signal, global } = context
    const { debug, keptRootfs } = await import('@tsbuild/builder')
    if (name === undefined) {
      const kept = await keptRootfs({ root: global.root, env: io.env })
      const now = Date.now()
      const rows = kept.map((run) => [run.name, formatAge(run.failed, now), run.step])
      const table = () => renderTable(['NAME', 'FAILED', 'STEP'], rows)
      await write(io.stdout, values.format === 'json' ? `${JSON.stringify(kept, null, 2)}\n` : table())
      return EXIT.ok
    }
    // A shell is for people: in a terminal it gets one without being told.
    const people = args.length === 0 && io.stdin.isTTY === true && io.stdout.isTTY === true
    const console = openConsole(io, {
      interactive: values.interactive ?? (people || args.length === 0),
      tty: values.tty ?? people,
    })
    return await runToEnd(context, () =>
      debug({
        name,
        command: args,
        console,
        isolation: parseIsolation(values.isolation),
        ociRuntime: values['oci-runtime'],
        root: global.root,
        env: io.env,
        signal,
      }),
    )
  },
})
