/** The flags that every command takes. */
import { accessSync, constants, statSync } from 'node:fs'
import { getSystemErrorMessage } from 'node:util'
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
  {
    name: 'ca-file',
    type: 'list',
    value: 'FILE',
    completes: 'file',
    help: "Trust the certificate authorities of this file, too, beside the system's (repeatable)",
  },
  {
    name: 'insecure-registry',
    type: 'list',
    value: 'HOST',
    help: 'Do not check the certificate of this registry, and speak plain http with it if need be (repeatable)',
  },
  { name: 'debug', alias: 'D', type: 'boolean', help: 'Show causes and stack traces of errors, and warnings in full' },
  { name: 'help', alias: 'h', type: 'boolean', help: 'Show the help of the command' },
] as const satisfies readonly FlagSpec[]

/** What the global flags say. */
export interface GlobalOptions {
  readonly root?: string
  readonly mirrors?: Readonly<Record<string, string | readonly string[]>>
  readonly caFiles?: readonly string[]
  readonly insecureRegistries?: readonly string[]
  readonly debug: boolean
}

/** @throws UsageError for a mirror that is not `HOST=HOST`, a file that cannot be read, a registry that is no host */
export function globalOptions(values: FlagValues<typeof GLOBAL_FLAGS>): GlobalOptions {
  const mirrors = (values.mirror ?? []).map((text) => {
    const pair = keyValue(text)
    if (pair?.[0] && pair[1]) return pair
    throw new UsageError(
      `invalid argument ${JSON.stringify(text)} for --mirror`,
      'write it as docker.io=mirror.example',
    )
  })
  if (values.root === '')
    throw new UsageError('invalid argument "" for --root: it names no directory', 'leave it out for the default place')
  return {
    ...(values.root === undefined ? {} : { root: values.root }),
    ...(mirrors.length === 0 ? {} : { mirrors: mirrorTable(mirrors) }),
    ...optional('caFiles', values['ca-file']?.map(readableFile)),
    ...optional('insecureRegistries', values['insecure-registry']?.map(hostName)),
    debug: values.debug ?? false,
  }
}

/** One mirror of a registry as it is, several in their order. */
export function mirrorTable(
  pairs: readonly [registry: string, mirror: string][],
): NonNullable<GlobalOptions['mirrors']> {
  const groups = Map.groupBy(pairs, ([registry]) => registry)
  const entries = [...groups].map(([registry, group]) => [registry, group.map(([, mirror]) => mirror)] as const)
  return Object.fromEntries(entries.map(([registry, list]) => [registry, list.length > 1 ? list : list[0]!]))
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V })
}

/** Found here, not by the connection that needs it. */
function readableFile(path: string): string {
  try {
    accessSync(path, constants.R_OK)
    if (!statSync(path).isDirectory()) return path
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException
    throw new UsageError(
      `--ca-file ${path}: ${code === 'ENOENT' ? 'there is no such file' : getSystemErrorMessage(errno!)}`,
    )
  }
  throw new UsageError(`--ca-file ${path} is a directory`, 'name a file with certificates in PEM')
}

function hostName(text: string): string {
  const host = text.replace(/^https?:\/\//i, '').replace(/\/+$/, '')
  if (/^[^\s/]+$/.test(host)) return host
  throw new UsageError(
    `invalid argument ${JSON.stringify(text)} for --insecure-registry`,
    'write it as HOST or HOST:PORT',
  )
}
