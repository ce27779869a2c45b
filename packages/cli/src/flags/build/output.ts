/** `--output`, `--cache-from` and `--cache-to`. */
import type { BuildOptions } from '@tsbuild/builder'
import { UsageError } from '../../usage-error.ts'
import { csvFields, keyValue } from '../csv.ts'
import { suggest } from '../suggest.ts'

export type Output = NonNullable<BuildOptions['outputs']>[number]
export type Cache = NonNullable<BuildOptions['cacheFrom']>[number]

const OUTPUT_TYPES: ReadonlySet<string> = new Set<Output['type']>([
  'oci',
  'docker',
  'tar',
  'local',
  'image',
  'registry',
  'cacheonly',
] as const)

const CACHE_TYPES: ReadonlySet<string> = new Set<Cache['type']>([
  'registry',
  'local',
  'inline',
  'gha',
  's3',
  'azblob',
] as const)

const isCacheType = (text: string): text is Cache['type'] => CACHE_TYPES.has(text)
const isOutputType = (text: string): text is Output['type'] => OUTPUT_TYPES.has(text)

/** One `--output DIR | - | type=TYPE[,KEY=VALUE]`. */
export function parseOutput(text: string, flag = 'output'): Output {
  if (text === '')
    throw new UsageError('invalid value "" for --output: it names nothing', 'name a directory, or leave out the flag')
  if (text === '-') return { type: 'tar', attrs: { dest: '-' } }
  const fields = csvFields(text, flag)
  if (fields.length === 1 && fields[0] === text && !text.startsWith('type='))
    return { type: 'local', attrs: { dest: text } }
  const { type, attrs } = typedFields(fields, flag)
  if (!type) throw new UsageError('type is required for output')
  if (isOutputType(type)) return { type, attrs }
  const close = suggest(type, OUTPUT_TYPES)
  throw new UsageError(
    `unsupported output type ${JSON.stringify(type)}`,
    close ? `did you mean ${close}?` : `the types are ${[...OUTPUT_TYPES].join(', ')}`,
  )
}

/** One `--cache-from` or `--cache-to`: `type=TYPE[,KEY=VALUE]`, or names of images separated by commas. */
export function parseCache(text: string, flag: string): Cache[] {
  const fields = csvFields(text, flag)
  if (!text.includes('=')) return fields.map((ref) => ({ type: 'registry', attrs: { ref } }))
  const { type, attrs } = typedFields(fields, flag)
  if (!type) throw new UsageError(`type required for ${JSON.stringify(text)}`)
  if (type === 'inline' && flag === 'cache-from')
    throw new UsageError('--cache-from has no type inline', 'a cache within an image is read with type=registry')
  if (isCacheType(type)) return [{ type, attrs }]
  const close = suggest(type, CACHE_TYPES)
  throw new UsageError(
    `unsupported cache type ${JSON.stringify(type)} for --${flag}`,
    close ? `did you mean ${close}?` : `the types are ${[...CACHE_TYPES].join(', ')}`,
  )
}

function typedFields(
  fields: readonly string[],
  flag: string,
): { type: string | undefined; attrs: Record<string, string> } {
  let type: string | undefined
  const attrs: [string, string][] = []
  for (const field of fields) {
    const pair = keyValue(field)
    if (!pair)
      throw new UsageError(`invalid value ${field} for --${flag}`, 'write it as key=value, separated by commas')
    const key = pair[0].trim().toLowerCase()
    if (key === 'type') type = pair[1]
    else attrs.push([key, pair[1]])
  }
  return { type, attrs: Object.fromEntries(attrs) }
}
