/** The attributes of `--cache-from` and `--cache-to`, and what those of all types have in common. */
import { COMPRESSION_ATTRIBUTES, compressionOf } from '../layer/compression-attributes.ts'
import { AttributeReader } from '../util/attributes.ts'
import type { PreparedExport } from './backend.ts'
import { cacheErrors } from './errors.ts'
import { MOUNT_ATTRIBUTES, mountChoice } from './mount-attributes.ts'

/** Every `--cache-to` has these. */
const EXPORT_ATTRIBUTES = ['mode', 'ignore-error', 'mounts', ...MOUNT_ATTRIBUTES, ...COMPRESSION_ATTRIBUTES] as const
/** Every `--cache-from` has these. */
const IMPORT_ATTRIBUTES = ['mounts'] as const

/** Attributes of one entry; those that only the other flag has are of no effect, which people rely on. */
class CacheAttributes<Name extends string> extends AttributeReader<Name> {
  constructor(
    flag: '--cache-from' | '--cache-to',
    type: string,
    known: readonly Name[],
    others: readonly string[],
    values: ReadonlyMap<string, string>,
  ) {
    const owner = {
      type,
      of: `of cache type ${type}`,
      for: `for ${type} cache`,
      fail: (problem: string, hint?: string) =>
        cacheErrors.invalid([flag, problem], hint === undefined ? undefined : { hint }),
    }
    const idle = [...values.keys()].filter((name) => !known.some((one) => one === name) && others.includes(name))
    super(owner, new Map([...values].filter(([name]) => !idle.includes(name))), known)
    for (const name of idle) this.warnings.push(`${flag} type=${type}: ${name} has no effect here`)
  }
}

/**
 * Reads a `--cache-from`.
 *
 * @param known what its type has there
 * @param ofExport what only a `--cache-to` of this type has, beside what all have
 */
export function importAttributes<Name extends string>(
  type: string,
  values: ReadonlyMap<string, string>,
  known: readonly Name[],
  ofExport: readonly string[] = [],
): AttributeReader<Name | (typeof IMPORT_ATTRIBUTES)[number]> {
  const all = [...known, ...IMPORT_ATTRIBUTES]
  return new CacheAttributes('--cache-from', type, all, [...EXPORT_ATTRIBUTES, ...ofExport], values)
}

/** Reads a `--cache-to`; `known` and `ofImport` are what its type has beside what all have. */
export function exportAttributes<Name extends string>(
  type: string,
  values: ReadonlyMap<string, string>,
  known: readonly Name[],
  ofImport: readonly string[] = [],
): {
  readonly attrs: AttributeReader<Name | (typeof EXPORT_ATTRIBUTES)[number]>
  readonly common: Omit<PreparedExport, 'name' | 'open'>
} {
  const attrs = new CacheAttributes('--cache-to', type, [...known, ...EXPORT_ATTRIBUTES], ofImport, values)
  const common = {
    type,
    mode: attrs.oneOf('mode', ['min', 'max'], 'min'),
    ignoreError: attrs.flag('ignore-error', false),
    mounts: mountChoice(attrs),
    ...compressionOf(attrs),
    warnings: attrs.warnings,
  }
  return { attrs, common }
}
