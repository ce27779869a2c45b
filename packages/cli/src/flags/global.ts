/** The flags that every command takes. */
import { UsageError } from '../usage-error.ts'
import { keyValue } from './csv.ts'
import type { FlagSpec, FlagValues } from './spec.ts'

export const GLOBAL_FLAGS = [
  {
    name: 'root',
    type: 'string',
    value: 'DIR',
    completes: 'directory',
    help: 'Where state is kept (default $TSBUILD_ROOT, else $XDG_DATA_HOME/tsbuild)',
  },
  {
    name: 'mirror',
    type: 'list',
    value: 'HOST=HOST[/PATH]',
    help: 'Look for images of the first registry in the second one first (repeatable)',
  },
  { name: 'debug', alias: 'D', type: 'boolean', help: 'Show causes and stack traces of errors, and warnings in full' },
  { name: 'help', alias: 'h', type: 'boolean', help: 'Show the help of the command' },
] as const satisfies readonly FlagSpec[]

/** What the global flags say. */
export interface GlobalOptions {
  readonly root?: string
  readonly mirrors?: Readonly<Record<string, string>>
  readonly debug: boolean
}

/** @throws UsageError for a mirror that is not `HOST=HOST` */
export function globalOptions(values: FlagValues<typeof GLOBAL_FLAGS>): GlobalOptions {
  const mirrors = (values.mirror ?? []).map((text) => {
    const pair = keyValue(text)
    if (pair?.[0] && pair[1]) return pair
    throw new UsageError(
      `invalid argument ${JSON.stringify(text)} for --mirror`,
      'write it as docker.io=mirror.example',
    )
  })
  return {
    ...(values.root === undefined ? {} : { root: values.root }),
    ...(mirrors.length === 0 ? {} : { mirrors: Object.fromEntries(mirrors) }),
    debug: values.debug ?? false,
  }
}
