/** `tsbuild prune`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { parseDuration, parseSize } from '../flags/values.ts'
import { write } from '../io.ts'
import { loadImages, storeOptions } from '../library.ts'
import { formatBytes } from '../progress/format.ts'

export const command = defineCommand({
  name: 'prune',
  usage: ['prune [FLAGS]'],
  description:
    'Removes what no named image needs. Named images stay unless --all is given. Data that a running build uses is never removed, and nothing is asked.',
  arity: { min: 0, max: 0 },
  flags: [
    {
      name: 'all',
      alias: 'a',
      type: 'boolean',
      help: 'Remove the whole cache, also what images and recent builds use',
    },
    { name: 'force', alias: 'f', type: 'boolean', help: 'No effect, accepted for scripts written for docker' },
    { name: 'older-than', type: 'string', value: 'TIME', help: 'Only what was not used for this long, such as 48h' },
    {
      name: 'keep',
      type: 'string',
      value: 'SIZE',
      help: 'Keep this much of the cache, the last used first, such as 10g',
    },
    { name: 'format', type: 'string', value: 'FORMAT', choices: ['text', 'json'], help: 'text or json (default text)' },
  ],
  examples: [
    { text: 'Remove what no image needs', command: 'tsbuild prune' },
    { text: 'Keep what was used in the last two days', command: 'tsbuild prune --older-than 48h' },
    { text: 'Keep the cache below 10 GiB', command: 'tsbuild prune --keep 10g' },
    { text: 'Remove everything but named images', command: 'tsbuild prune --all' },
  ],
  async run({ values }, context) {
    const library = await loadImages()
    const pruned = await library.prune({
      ...storeOptions(context),
      all: values.all ?? false,
      ...(values['older-than'] === undefined ? {} : { olderThan: parseDuration(values['older-than'], 'older-than') }),
      ...(values.keep === undefined ? {} : { keepBytes: parseSize(values.keep, 'keep') }),
    })
    if (values.format === 'json') await write(context.io.stdout, `${JSON.stringify(pruned, null, 2)}\n`)
    else await write(context.io.stderr, `freed ${formatBytes(pruned.bytes)}\n`)
    return EXIT.ok
  },
})
