/** `tsbuild du`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { FILTER_HELP, parseUsageFilters } from '../flags/usage-filter.ts'
import { parseFormat, renderRows } from '../format/rows.ts'
import { write } from '../io.ts'
import { formatBytes } from '../progress/format.ts'
import { renderTable } from '../table.ts'
import { USAGE_HEADS, usageParagraphs, usageRow, usageTable } from '../usage-rows.ts'

export const command = defineCommand({
  name: 'du',
  usage: ['du [FLAGS]'],
  description: 'RECLAIMABLE is what tsbuild prune --all would free. Filters mean what they mean for docker buildx du.',
  arity: { min: 0, max: 0 },
  flags: [
    { name: 'filter', type: 'list', value: 'KEY=VALUE', help: FILTER_HELP },
    { name: 'verbose', alias: 'v', type: 'boolean', help: 'One line for each entry' },
    {
      name: 'format',
      type: 'string',
      value: 'FORMAT',
      help: "table, json, pretty (a paragraph for each entry), or a Go template for each entry, such as '{{.ID}} {{.Size}}' (default table)",
    },
    { name: 'timeout', type: 'string', value: 'TIME', help: 'No effect, accepted for scripts written for docker' },
  ],
  examples: [
    { text: 'What the store takes, and what prune could free', command: 'tsbuild du' },
    { text: 'The files of RUN --mount=type=cache', command: 'tsbuild du -v --filter type=exec.cachemount' },
    { text: 'All of it, in bytes, for other programs', command: 'tsbuild du --format json' },
  ],
  async run({ values }, { io, signal, global }) {
    const pretty = values.format === 'pretty'
    const format = parseFormat(pretty ? undefined : values.format)
    const now = Date.now()
    const filters = parseUsageFilters(values.filter ?? [], now)
    const { diskUsage } = await import('@tsbuild/builder')
    const usage = await diskUsage({ root: global.root, env: io.env, signal, ...filters })
    const { items } = usage
    if (format.kind === 'template') {
      const rows = items.map((item) => usageRow(item, now))
      await write(io.stdout, renderRows(rows, format.text, USAGE_HEADS))
    } else if (format.kind === 'json') await write(io.stdout, `${JSON.stringify(usage, null, 2)}\n`)
    else if (pretty) await write(io.stdout, usageParagraphs(items, now))
    else await write(io.stdout, values.verbose ? usageTable(items, now) : byKind(usage))
    return EXIT.ok
  },
})

type Usage = Awaited<ReturnType<typeof import('@tsbuild/builder')['diskUsage']>>

function byKind({ items, total, reclaimable }: Usage): string {
  const rows = (['blob', 'snapshot', 'record', 'mount', 'context'] as const).map((kind) => {
    const all = items.filter((item) => item.kind === kind)
    const free = all.filter((item) => item.reclaimable)
    return [`${kind}s`, String(all.length), formatBytes(sum(all)), formatBytes(sum(free))]
  })
  rows.push(['total', String(items.length), formatBytes(total), formatBytes(reclaimable)])
  return renderTable(['KIND', 'COUNT', 'SIZE', 'RECLAIMABLE'], rows)
}

const sum = (items: readonly { readonly size: number }[]): number => items.reduce((bytes, item) => bytes + item.size, 0)
