/** `-v`, `--mount` and `--tmpfs` of `tsbuild run`. */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { RunImageOptions } from '@tsbuild/builder'
import { csvFields, keyValue } from '../flags/csv.ts'
import { parseBoolean } from '../flags/parse.ts'
import { suggest } from '../flags/suggest.ts'
import { parseSize } from '../flags/values.ts'
import { UsageError } from '../usage-error.ts'

export type Volume = NonNullable<RunImageOptions['volumes']>[number] & { readonly source: string }
export type Tmpfs = NonNullable<RunImageOptions['tmpfs']>[number]

/** One `HOST:CONTAINER[:OPTIONS]`; of the options, ro and rw have a meaning: {@link volumeNotices}. */
export function parseVolume(text: string): Volume {
  const [source, target, options = '', ...rest] = text.split(':')
  if (!source || !target || rest.length > 0)
    throw new UsageError(`invalid volume specification: ${JSON.stringify(text)}`, 'write it as -v HOST:CONTAINER[:ro]')
  if (!target.startsWith('/'))
    throw new UsageError(`invalid volume specification: ${JSON.stringify(text)}: mount path must be absolute`)
  if (!/[/.]/.test(source))
    throw new UsageError(
      `there are no named volumes: ${JSON.stringify(source)}`,
      'name a directory, such as ./data or /srv/data',
    )
  const words = options.split(',').filter((word) => word !== '')
  const unknown = words.find((word) => !['ro', 'rw', 'z', 'Z'].includes(word))
  if (unknown !== undefined) throw new UsageError(`invalid mode of a volume: ${JSON.stringify(unknown)}`)
  return { source, target, readonly: words.includes('ro') }
}

/** What of `-v` was accepted and has no effect. */
export function volumeNotices(texts: readonly string[]): string[] {
  return texts
    .filter((text) => /:(?:\w+,)*[zZ](?:,\w+)*$/.test(text))
    .map((text) => `z and Z of -v ${text} have no effect: files are not relabelled for SELinux`)
}

/** Makes the directories that do not exist, as docker does. */
export async function makeVolumes(volumes: readonly Volume[]): Promise<void> {
  const { makeDirectory } = await import('@tsbuild/registry-client')
  for (const { source } of volumes)
    await makeDirectory(source).catch((error: Error) => {
      // A file.
      if ((error.cause as NodeJS.ErrnoException | undefined)?.code !== 'EEXIST') throw error
    })
}

/** One `--tmpfs PATH[:OPTIONS]`. */
export function parseTmpfs(text: string): Tmpfs {
  const colon = text.indexOf(':')
  const target = absolute(colon < 0 ? text : text.slice(0, colon), 'tmpfs', text)
  let tmpfs: Tmpfs = { target }
  for (const option of colon < 0 ? [] : text.slice(colon + 1).split(',')) {
    const [name, value] = keyValue(option) ?? [option, '']
    if (name === 'size') tmpfs = { ...tmpfs, size: parseSize(value, 'tmpfs') }
    else if (name === 'mode') tmpfs = { ...tmpfs, mode: parseMode(value, 'tmpfs') }
    else if (name === 'exec' || name === 'noexec') tmpfs = { ...tmpfs, exec: name === 'exec' }
    else if (!['', 'rw', 'nosuid', 'nodev'].includes(name))
      throw new UsageError(
        `invalid option of --tmpfs: ${JSON.stringify(option)}`,
        'the options are size, mode, exec, noexec, and what always holds: rw, nosuid, nodev',
      )
  }
  return tmpfs
}

const KEYS = ['type', 'source', 'src', 'target', 'destination', 'dst', 'readonly', 'ro', 'tmpfs-size', 'tmpfs-mode']

/** One `--mount type=bind|tmpfs,…`. */
export function parseMount(text: string, cwd: string): { readonly volume: Volume } | { readonly tmpfs: Tmpfs } {
  const values = mountFields(text)
  const type = values.get('type') ?? 'volume'
  const target = values.get('target')
  if (target === undefined) throw invalid(text, 'a target is required')
  absolute(target, 'mount', text)
  if (type === 'bind') {
    const source = values.get('source')
    if (source === undefined) throw invalid(text, 'a bind mount needs a source')
    refuse(values, text, type, ['tmpfs-size', 'tmpfs-mode'])
    if (statSync(resolve(cwd, source), { throwIfNoEntry: false }) === undefined)
      throw invalid(text, `bind source path does not exist: ${source}`)
    return { volume: { source: resolve(cwd, source), target, readonly: values.get('readonly') === 'true' } }
  }
  if (type === 'tmpfs') {
    refuse(values, text, type, ['source', 'readonly'])
    const size = values.get('tmpfs-size')
    const mode = values.get('tmpfs-mode')
    return {
      tmpfs: {
        target,
        ...(size !== undefined && { size: parseSize(size, 'mount') }),
        ...(mode !== undefined && { mode: parseMode(mode, 'mount') }),
      },
    }
  }
  const close = suggest(type, ['bind', 'tmpfs'])
  throw new UsageError(
    `--mount type=${type} is not supported`,
    close ? `did you mean type=${close}?` : 'the types are bind and tmpfs: there are no volumes that stay',
  )
}

function mountFields(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  for (const field of csvFields(text, 'mount')) {
    const [key, value] = keyValue(field) ?? [field, undefined]
    const name = key.trim().toLowerCase()
    if (!KEYS.includes(name)) {
      const close = suggest(name, KEYS)
      throw invalid(text, `unknown key ${JSON.stringify(name)}`, close && `did you mean ${close}?`)
    }
    if (name === 'readonly' || name === 'ro')
      values.set('readonly', String(value === undefined || parseBoolean(value, 'mount')))
    else if (value === undefined) throw invalid(text, `${name} must be a key=value pair`)
    else if (name === 'src') values.set('source', value)
    else if (name === 'dst' || name === 'destination') values.set('target', value)
    else values.set(name, value)
  }
  return values
}

function refuse(values: ReadonlyMap<string, string>, text: string, type: string, names: readonly string[]): void {
  const wrong = names.find((name) => values.has(name) && values.get(name) !== 'false')
  if (wrong !== undefined) throw invalid(text, `${wrong} cannot be given for type=${type}`)
}

function absolute(target: string, flag: string, text: string): string {
  if (target.startsWith('/')) return target
  throw new UsageError(`invalid value ${JSON.stringify(text)} for --${flag}: mount path must be absolute`)
}

function parseMode(text: string, flag: string): number {
  if (/^0?[0-7]{1,4}$/.test(text)) return Number.parseInt(text, 8)
  throw new UsageError(`invalid mode ${JSON.stringify(text)} for --${flag}`, 'write it in octal, such as 1777')
}

const invalid = (text: string, problem: string, hint?: string): UsageError =>
  new UsageError(`invalid value ${JSON.stringify(text)} for --mount: ${problem}`, hint)
