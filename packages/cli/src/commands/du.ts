/** `tsbuild du`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { parseFormat, type Row, renderRows } from '../format/rows.ts'
import { write } from '../io.ts'
import { formatBytes } from '../progress/format.ts'
import { formatAge, renderTable } from '../table.ts'

export const command = defineCommand({
  name: 'du',
  usage: ['du [FLAGS]'],
  description: 'RECLAIMABLE is what tsbuild prune --all would free.',
  arity: { min: 0, max: 0 },
  flags: [
    { name: 'verbose', alias: 'v', type: 'boolean', help: 'One line for each blob, snapshot and cache record' },
    {
      name: 'format',
      type: 'string',
      value: 'FORMAT',
      help: "table, json, or a Go template for each line, such as '{{.Type}} {{.Size}}' (default table)",
    },
  ],
  examples: [
    { text: 'What the store takes, and what prune could free', command: 'tsbuild du' },
    { text: 'All of it, in bytes, for other programs', command: 'tsbuild du --format json' },
  ],
  async run({ values }, { io, signal, global }) {
    const format = parseFormat(values.format)
    const { diskUsage } = await import('@tsbuild/builder')
    const usage = await diskUsage({ root: global.root, env: io.env, signal })
    if (format.kind === 'template')
      await write(io.stdout, renderRows(values.verbose ? itemRows(usage) : kindRows(usage), format.text, HEADS))
    else if (format.kind === 'json') await write(io.stdout, `${JSON.stringify(usage, null, 2)}\n`)
    else await write(io.stdout, values.verbose ? everything(usage) : byKind(usage))
    return EXIT.ok
  },
})

type Usage = Awaited<ReturnType<typeof import('@tsbuild/builder')['diskUsage']>>

function byKind({ items, total, reclaimable }: Usage): string {
  const rows = (['blob', 'snapshot', 'record'] as const).map((kind) => {
    const all = items.filter((item) => item.kind === kind)
    const free = all.filter((item) => item.reclaimable)
    return [`${kind}s`, String(all.length), formatBytes(sum(all)), formatBytes(sum(free))]
  })
  rows.push(['total', String(items.length), formatBytes(total), formatBytes(reclaimable)])
  return renderTable(['KIND', 'COUNT', 'SIZE', 'RECLAIMABLE'], rows)
}

function everything({ items }: Usage): string {
  const now = Date.now()
  const rows = items.map(({ kind, id, description, size, reclaimable, lastUsed }) => [
    kind,
    description ? `${description} ${id}` : id,
    formatBytes(size),
    String(reclaimable),
    formatAge(lastUsed, now),
  ])
  return renderTable(['KIND', 'ID', 'SIZE', 'RECLAIMABLE', 'LAST USED'], rows)
}

const sum = (items: readonly { readonly size: number }[]): number => items.reduce((bytes, item) => bytes + item.size, 0)

const HEADS: Readonly<Record<string, string>> = {
  TotalCount: 'TOTAL',
  LastUsedAt: 'LAST USED',
  LastUsedSince: 'LAST USED',
}

/** As docker system df names them. */
function kindRows({ items }: Usage): Row[] {
  return (['blob', 'snapshot', 'record'] as const).map((kind) => {
    const all = items.filter((item) => item.kind === kind)
    const free = all.filter((item) => item.reclaimable)
    return {
      Type: `${kind}s`,
      TotalCount: all.length,
      Active: all.length - free.length,
      Size: formatBytes(sum(all)),
      Reclaimable: formatBytes(sum(free)),
    }
  })
}

/** As docker buildx du names them. */
function itemRows({ items }: Usage): Row[] {
  const now = Date.now()
  return items.map(({ kind, id, description, size, reclaimable, lastUsed }) => ({
    ID: id,
    Type: kind,
    Description: description ?? '',
    Size: formatBytes(size),
    Reclaimable: reclaimable,
    LastUsedAt: new Date(lastUsed).toISOString(),
    LastUsedSince: formatAge(lastUsed, now),
  }))
}
