/** `tsbuild prune`. */
import type { PruneOptions, PruneResult, SpaceLimits } from '@tsbuild/builder'
import { type CommandContext, defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { FILTER_HELP, parseUsageFilters } from '../flags/usage-filter.ts'
import { parseSize } from '../flags/values.ts'
import { parseFormat, renderRows } from '../format/rows.ts'
import { write } from '../io.ts'
import { formatBytes } from '../progress/format.ts'
import { UsageError } from '../usage-error.ts'
import { USAGE_HEADS, usageParagraphs, usageRow, usageTable } from '../usage-rows.ts'

export const command = defineCommand({
  name: 'prune',
  usage: ['prune [FLAGS]'],
  description:
    'Deletes what no named image needs: cached steps that are not part of one, the files of cache mounts, and data that nothing refers to. Images with a name stay. What a running build uses is never deleted, and nothing is asked. Limits count what no named image consists of; filters and limits mean what they mean for docker buildx prune.',
  arity: { min: 0, max: 0 },
  flags: [
    { name: 'all', alias: 'a', type: 'boolean', help: 'Delete the cached steps of named images too' },
    { name: 'filter', type: 'list', value: 'KEY=VALUE', help: FILTER_HELP },
    {
      name: 'max-used-space',
      type: 'string',
      value: 'SIZE',
      help: 'Stop when no more than this is used, such as 10GB',
    },
    { name: 'min-free-space', type: 'string', value: 'SIZE', help: 'Stop when the disk has this much room' },
    { name: 'reserved-space', type: 'string', value: 'SIZE', help: 'So much stays, whatever the other limits say' },
    { name: 'keep-storage', type: 'string', value: 'SIZE', help: 'The former name of --reserved-space' },
    {
      name: 'auto',
      type: 'boolean',
      help: 'Only down to the limits of automatic collection: $TSBUILD_GC, or those that are given, or the default',
    },
    { name: 'dry-run', type: 'boolean', help: 'Delete nothing, only say what would be freed' },
    { name: 'verbose', alias: 'v', type: 'boolean', help: 'A paragraph for each entry that is deleted' },
    {
      name: 'format',
      type: 'string',
      value: 'FORMAT',
      help: "text, json, or for each entry that is deleted: table, or a Go template such as '{{.ID}}' (default text)",
    },
    { name: 'force', alias: 'f', type: 'boolean', help: 'No effect, accepted for scripts written for docker' },
    { name: 'timeout', type: 'string', value: 'TIME', help: 'No effect, accepted for scripts written for docker' },
  ],
  examples: [
    { text: 'Delete what no image needs', command: 'tsbuild prune' },
    { text: 'Keep what was used in the last two days', command: 'tsbuild prune --filter until=48h' },
    { text: 'Keep the cache below 10 GiB', command: 'tsbuild prune --max-used-space 10GB' },
    { text: 'Empty the cache mounts', command: 'tsbuild prune --filter type=exec.cachemount' },
    { text: 'Delete everything but named images', command: 'tsbuild prune --all' },
  ],
  async run({ values }, context) {
    const { io } = context
    const limits = spaceLimits(values)
    const filters = parseUsageFilters(values.filter ?? [], Date.now())
    const format = values.format === 'text' ? 'text' : values.format && parseFormat(values.format)
    if (values.auto && (values.all || Object.keys(filters).length > 0))
      throw new UsageError('--auto has its own filters', 'leave out --all and --filter')
    const options = { ...limits, ...filters, all: values.all, dryRun: values['dry-run'] }
    const result = await remove(values.auto === true, options, context)
    for (const problem of result.skipped) await write(io.stderr, `WARNING: not deleted: ${problem}\n`)
    const { removed } = result
    const now = Date.now()
    if (typeof format === 'object' && format.kind === 'json') {
      await write(io.stdout, `${JSON.stringify(result, null, 2)}\n`)
      return EXIT.ok
    }
    if (typeof format === 'object' && format.kind === 'template') {
      const rows = removed.map((item) => usageRow(item, now))
      await write(io.stdout, renderRows(rows, format.text, USAGE_HEADS))
    } else if (values.verbose) await write(io.stdout, usageParagraphs(removed, now))
    else if (typeof format === 'object') await write(io.stdout, usageTable(removed, now))
    const verb = values['dry-run'] ? 'would free' : 'freed'
    await write(io.stderr, `${verb} ${formatBytes(result.freed)}, ${formatBytes(result.left)} left\n`)
    return EXIT.ok
  },
})

async function remove(
  auto: boolean,
  { dryRun, all, filters, until, ...limits }: PruneOptions,
  { io, signal, global }: CommandContext,
): Promise<PruneResult> {
  const { collectGarbage, prune } = await import('@tsbuild/builder')
  const common = { root: global.root, env: io.env, signal, dryRun, ...limits }
  return auto ? await collectGarbage(common) : await prune({ ...common, all, filters, until })
}

type SizeFlags = Readonly<
  Partial<Record<'max-used-space' | 'min-free-space' | 'reserved-space' | 'keep-storage', string>>
>

function spaceLimits(values: SizeFlags): SpaceLimits {
  const size = (name: keyof SizeFlags): number | undefined =>
    values[name] === undefined ? undefined : parseSize(values[name], name)
  const keep = size('keep-storage')
  return {
    maxUsedSpace: size('max-used-space'),
    minFreeSpace: size('min-free-space'),
    reservedSpace: size('reserved-space') ?? keep,
  }
}
