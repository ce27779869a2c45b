/** `--call=subrequests.describe`: what `--call` can ask for, as the reference's frontend lists it. */

interface Named {
  readonly name: string
  readonly description: string
}

interface Subrequest {
  readonly name: string
  readonly version: string
  readonly type: string
  readonly description: string
  readonly opts: readonly Named[] | null
  readonly inputs: readonly Named[] | null
  readonly metadata: readonly Named[] | null
  readonly refs: readonly Named[] | null
}

const subrequest = (name: string, description: string, opts: readonly Named[] | null): Subrequest => ({
  name: `frontend.${name}`,
  version: '1.0.0',
  type: 'frontend.rpc',
  description,
  opts,
  inputs: null,
  metadata: [
    { name: 'result.json', description: '' },
    { name: 'result.txt', description: '' },
  ],
  refs: null,
})

const SUBREQUESTS: readonly Subrequest[] = [
  subrequest('outline', 'List all parameters current build target supports', [
    { name: 'target', description: 'Target build stage' },
  ]),
  subrequest('targets', 'List all targets current build supports', []),
  subrequest('subrequests.describe', 'List available subrequest types', null),
]

/** The text for stdout. */
export function describeCalls(format: 'text' | 'json'): string {
  if (format === 'json') return `${JSON.stringify(SUBREQUESTS, null, 2)}\n`
  const rows = [
    ['NAME', 'VERSION', 'DESCRIPTION'] as const,
    ...SUBREQUESTS.map((row) => [row.name.replace(/^frontend\./, ''), row.version, row.description] as const),
  ]
  const width = (column: 0 | 1): number => Math.max(...rows.map((row) => row[column].length)) + 1
  return rows.map((row) => `${row[0].padEnd(width(0))}${row[1].padEnd(width(1))}${row[2]}\n`).join('')
}
