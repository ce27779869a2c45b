/** `tsbuild tags`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { parseInteger } from '../flags/values.ts'
import { write } from '../io.ts'
import { openRegistry } from '../registry.ts'

export const command = defineCommand({
  name: 'tags',
  usage: ['tags [FLAGS] REPOSITORY'],
  description: 'Prints one tag per line, in the order of the registry, as they arrive.',
  arity: { min: 1, max: 1 },
  flags: [
    { name: 'limit', type: 'string', value: 'N', help: 'Stop after this many tags' },
    { name: 'after', type: 'string', value: 'TAG', help: 'Only tags after this one, in the order of the registry' },
    { name: 'format', type: 'string', value: 'FORMAT', choices: ['text', 'json'], help: 'text or json (default text)' },
  ],
  examples: [
    { text: 'All tags of a repository', command: 'tsbuild tags registry.example/team/my-app' },
    { text: 'The next hundred', command: 'tsbuild tags --after 1.0 --limit 100 registry.example/team/my-app' },
  ],
  async run({ values, words }, context) {
    const { io, signal } = context
    const limit = values.limit === undefined ? Number.POSITIVE_INFINITY : parseInteger(values.limit, 'limit', 1)
    await using client = await openRegistry(context)
    const tags: string[] = []
    let count = 0
    for await (const tag of client.repository(words[0]!).tags({ signal, after: values.after })) {
      if (values.format === 'json') tags.push(tag)
      else await write(io.stdout, `${tag}\n`)
      if (++count >= limit) break
    }
    if (values.format === 'json') await write(io.stdout, `${JSON.stringify(tags, null, 2)}\n`)
    return EXIT.ok
  },
})
