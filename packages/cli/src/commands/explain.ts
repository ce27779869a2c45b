/** `tsbuild explain`. */
import { defineCommand } from '../command.ts'
import { CommandError } from '../command-error.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { escapeText } from '../progress/escape.ts'

export const command = defineCommand({
  name: 'explain',
  usage: ['explain [FLAGS] [CONTEXT]'],
  description:
    'Says of each step that ran in the latest build what in it was not as in the build before: the file, the variable, the base image, the text. Steps that only follow from another one stand below it. Without a context, Dockerfile or target it is about the latest build of all. Values of variables that look secret are not kept.',
  arity: { min: 0, max: 1 },
  flags: [
    { name: 'file', alias: 'f', type: 'string', value: 'PATH', help: 'The Dockerfile of the build, as it was named' },
    { name: 'target', type: 'string', value: 'STAGE', help: 'The target of the build' },
    { name: 'format', type: 'string', value: 'FORMAT', choices: ['text', 'json'], help: 'text or json (default text)' },
  ],
  examples: [
    { text: 'Why the latest build was not taken from the cache', command: 'tsbuild explain' },
    { text: 'The same of the build of this directory, for other programs', command: 'tsbuild explain --format json .' },
  ],
  async run({ values, words }, { io, global }) {
    const { explain, explanationText } = await import('@tsbuild/builder')
    const [context] = words
    const named = context !== undefined || values.file !== undefined || values.target !== undefined
    const found = await explain({
      root: global.root,
      env: io.env,
      ...(named && { context: context ?? '.' }),
      dockerfile: values.file,
      target: values.target,
    })
    if (found === undefined)
      throw new CommandError(
        named ? 'no such build is remembered' : 'no build is remembered',
        'build first; a build is known by its context, Dockerfile (-f) and target, as they were named',
      )
    if (values.format === 'json') await write(io.stdout, `${JSON.stringify(found, null, 2)}\n`)
    else await write(io.stdout, escapeText(explanationText(found)))
    return EXIT.ok
  },
})
