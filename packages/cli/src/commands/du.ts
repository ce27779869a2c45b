/** `tsbuild du`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { loadImages, storeOptions } from '../library.ts'
import { formatBytes } from '../progress/format.ts'
import { renderTable } from '../table.ts'

export const command = defineCommand({
  name: 'du',
  usage: ['du [--format json]'],
  arity: { min: 0, max: 0 },
  flags: [
    {
      name: 'format',
      type: 'string',
      value: 'FORMAT',
      choices: ['table', 'json'],
      help: 'table or json (default table)',
    },
  ],
  examples: [
    { text: 'What the store takes, and what prune would free', command: 'tsbuild du' },
    { text: 'In bytes, for other programs', command: 'tsbuild du --format json' },
  ],
  async run({ values }, context) {
    const library = await loadImages()
    const usage = await library.diskUsage(storeOptions(context))
    if (values.format === 'json') {
      await write(context.io.stdout, `${JSON.stringify(usage, null, 2)}\n`)
      return EXIT.ok
    }
    const rows = usage.items.map((item) => [
      item.kind,
      String(item.count),
      formatBytes(item.size),
      formatBytes(item.reclaimable),
    ])
    const total = ['total', '', formatBytes(usage.size), formatBytes(usage.reclaimable)]
    await write(context.io.stdout, renderTable(['KIND', 'COUNT', 'SIZE', 'RECLAIMABLE'], [...rows, total]))
    return EXIT.ok
  },
})
