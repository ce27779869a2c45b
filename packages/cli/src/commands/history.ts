/** `tsbuild history`. */
import type { HistoryEntry } from '@tsbuild/registry-client'
import { defineCommand } from '../command.ts'
import { CommandError } from '../command-error.ts'
import { EXIT } from '../exit-codes.ts'
import { parseFormat, type Row, renderRows } from '../format/rows.ts'
import { write } from '../io.ts'
import { lookAt } from '../look-at.ts'
import { formatBytes } from '../progress/format.ts'
import type { InspectedImage } from '../render-inspection.ts'
import { formatAge, renderTable, shortDigest } from '../table.ts'

export const command = defineCommand({
  name: 'history',
  usage: ['history [FLAGS] IMAGE'],
  description:
    'Shows what made each layer of an image, the latest first, from the local store or from the registry. Sizes are those of the compressed layers.',
  arity: { min: 1, max: 1 },
  flags: [
    { name: 'no-trunc', type: 'boolean', help: 'Show everything in full' },
    { name: 'human', alias: 'H', type: 'boolean', help: 'Sizes and times for people (default true)' },
    { name: 'quiet', alias: 'q', type: 'boolean', help: 'Print ids only' },
    {
      name: 'format',
      type: 'string',
      value: 'FORMAT',
      help: "table, json, or a Go template such as '{{.CreatedBy}}' (default table)",
    },
    { name: 'platform', type: 'string', value: 'OS/ARCH[/VARIANT]', help: 'Platform of an image that has several' },
  ],
  examples: [
    { text: 'What an image was made of', command: 'tsbuild history my-app:1.0' },
    { text: 'The commands alone, in full', command: "tsbuild history --no-trunc --format '{{.CreatedBy}}' my-app:1.0" },
  ],
  async run({ values, words }, context) {
    const format = parseFormat(values.format)
    const { image } = await lookAt(words[0]!, { platform: values.platform, remote: false }, context)
    if (!image.config) throw new CommandError(`${words[0]} is no image: it has no history`)
    const rows = historyRows(image, { full: values['no-trunc'] === true, human: values.human !== false })
    const { stdout } = context.io
    if (values.quiet) await write(stdout, rows.map((row) => `${row.ID}\n`).join(''))
    else if (format.kind === 'json') await write(stdout, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    else if (format.kind === 'template') await write(stdout, renderRows(rows, format.text, HEADS))
    else {
      const columns = ['ID', 'CreatedSince', 'CreatedBy', 'Size', 'Comment'] as const
      const cells = rows.map((row) => columns.map((name) => String(row[name])))
      await write(
        stdout,
        renderTable(
          columns.map((name) => HEADS[name]!),
          cells,
        ),
      )
    }
    return EXIT.ok
  },
})

const HEADS: Readonly<Record<string, string>> = {
  ID: 'IMAGE',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  CreatedBy: 'CREATED BY',
  Size: 'SIZE',
  Comment: 'COMMENT',
}

/** docker's bound of the column. */
const MAX_COMMAND = 45

function historyRows(image: InspectedImage, { full, human }: { full: boolean; human: boolean }): Row[] {
  const entries: readonly HistoryEntry[] = image.config?.history ?? []
  let layer = 0
  const now = Date.now()
  const rows = entries.map((entry): Row => {
    const size = entry.empty_layer ? 0 : (image.layers[layer++]?.size ?? 0)
    const text = (entry.created_by ?? '').replaceAll(/\s/g, ' ')
    const time = Date.parse(entry.created ?? '')
    const known = !Number.isNaN(time)
    return {
      ID: '<missing>',
      CreatedSince: known ? (human ? formatAge(time, now) : entry.created) : 'N/A',
      CreatedAt: entry.created ?? 'N/A',
      CreatedBy: full || text.length <= MAX_COMMAND ? text : `${text.slice(0, MAX_COMMAND - 1)}…`,
      Size: human ? formatBytes(size) : String(size),
      Comment: entry.comment ?? '',
    }
  })
  const top = rows.at(-1)
  if (top) rows[rows.length - 1] = { ...top, ID: full ? image.id : shortDigest(image.id) }
  return rows.reverse()
}
