/** `tsbuild prune`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { keyValue } from '../flags/csv.ts'
import { parseDuration, parseSize } from '../flags/values.ts'
import { write } from '../io.ts'
import { formatBytes } from '../progress/format.ts'
import { UsageError } from '../usage-error.ts'

export const command = defineCommand({
  name: 'prune',
  usage: ['prune [FLAGS]'],
  description:
    'Deletes what no named image needs: cached steps that are not part of one, and data that nothing refers to. Images with a name stay. What a running build uses is never deleted, and nothing is asked.',
  arity: { min: 0, max: 0 },
  flags: [
    { name: 'all', alias: 'a', type: 'boolean', help: 'Delete the cached steps of named images too' },
    { name: 'force', alias: 'f', type: 'boolean', help: 'No effect, accepted for scripts written for docker' },
    {
      name: 'filter',
      type: 'list',
      value: 'until=TIME',
      help: 'Only what was not used for this long, such as until=48h',
    },
    { name: 'keep-storage', type: 'string', value: 'SIZE', help: 'Stop when no more than this is left, such as 10g' },
    { name: 'dry-run', type: 'boolean', help: 'Delete nothing, only say what would be freed' },
    { name: 'format', type: 'string', value: 'FORMAT', choices: ['text', 'json'], help: 'text or json (default text)' },
  ],
  examples: [
    { text: 'Delete what no image needs', command: 'tsbuild prune' },
    { text: 'Keep what was used in the last two days', command: 'tsbuild prune --filter until=48h' },
    { text: 'Keep the store below 10 GiB', command: 'tsbuild prune --keep-storage 10g' },
    { text: 'Delete everything but named images', command: 'tsbuild prune --all' },
  ],
  async run({ values }, { io, signal, global }) {
    const age = unusedFor(values.filter ?? [])
    const keepStorage =
      values['keep-storage'] === undefined ? undefined : parseSize(values['keep-storage'], 'keep-storage')
    const { prune } = await import('@tsbuild/builder')
    const result = await prune({
      root: global.root,
      env: io.env,
      signal,
      all: values.all,
      dryRun: values['dry-run'],
      keepStorage,
      until: age === undefined ? undefined : Date.now() - age,
    })
    for (const problem of result.skipped) await write(io.stderr, `WARNING: not deleted: ${problem}\n`)
    if (values.format === 'json') await write(io.stdout, `${JSON.stringify(result, null, 2)}\n`)
    else {
      const verb = values['dry-run'] ? 'would free' : 'freed'
      await write(io.stderr, `${verb} ${formatBytes(result.freed)}, ${formatBytes(result.left)} left\n`)
    }
    return EXIT.ok
  },
})

/** Milliseconds, from `--filter until=TIME`. */
function unusedFor(filters: readonly string[]): number | undefined {
  let age: number | undefined
  for (const filter of filters) {
    const pair = keyValue(filter)
    if (pair?.[0] !== 'until') throw new UsageError(`unknown filter ${JSON.stringify(filter)}`, 'write it as until=48h')
    age = parseDuration(pair[1], 'filter')
  }
  return age
}
