/**
 * containers' `registries.conf` (version 2): mirrors, rewritten locations, blocked and insecure registries.
 */
import { registryErrors } from '../model/errors.ts'
import { flag, list, object, optional, type Schema, text as string } from '../model/schema.ts'
import type { Capability } from './endpoint.ts'
import { parseToml } from './toml.ts'

/** One `[[registry]]`. */
export interface RegistryRule {
  /** `host[/path]` or `*.domain`: what it applies to. */
  readonly prefix: string
  /** `host[/path]` that takes the place of the prefix. */
  readonly location: string
  readonly insecure: boolean
  readonly blocked: boolean
  readonly mirrors: readonly MirrorRule[]
}

/** One `[[registry.mirror]]`. */
export interface MirrorRule {
  readonly location: string
  readonly insecure: boolean
  /** By tag (`resolve`), by digest (`pull`) or both. */
  readonly capabilities: ReadonlySet<Capability>
}

/** @throws RegistryError CONFIG_INVALID */
export function parseRegistriesConf(text: string, file: string): RegistryRule[] {
  const { registry } = parseToml(text, file, fileSchema)
  if (registry === undefined) return []
  if (!Array.isArray(registry))
    throw registryErrors.configInvalid([file, 'version 1 of the format is not supported: use [[registry]]'])
  return registry.map((table: RegistryTable) => {
    const location = clean(table.location ?? table.prefix)
    const prefix = clean(table.prefix ?? table.location)
    if (prefix === '') throw registryErrors.configInvalid([file, 'a [[registry]] has neither prefix nor location'])
    const digestOnly = table['mirror-by-digest-only'] === true
    return {
      prefix,
      location,
      insecure: table.insecure === true,
      blocked: table.blocked === true,
      mirrors: (table.mirror ?? []).map((mirror) => ({
        location: clean(mirror.location),
        insecure: mirror.insecure === true,
        capabilities: capabilities(digestOnly ? 'digest-only' : mirror['pull-from-mirror'], file),
      })),
    }
  })
}

interface MirrorTable {
  readonly location: string
  readonly insecure?: boolean
  readonly 'pull-from-mirror'?: string
}

interface RegistryTable {
  readonly prefix?: string
  readonly location?: string
  readonly insecure?: boolean
  readonly blocked?: boolean
  readonly 'mirror-by-digest-only'?: boolean
  readonly mirror?: readonly MirrorTable[]
}

const registrySchema = object<RegistryTable>({
  prefix: optional(string),
  location: optional(string),
  insecure: optional(flag),
  blocked: optional(flag),
  'mirror-by-digest-only': optional(flag),
  mirror: optional(
    list(
      object<MirrorTable>({
        location: string,
        insecure: optional(flag),
        'pull-from-mirror': optional(string),
      }),
      'tables',
    ),
  ),
})
const registryList = list(registrySchema, 'tables')
/** Version 1 of the format has a table where version 2 has a list. */
const registries: Schema<readonly RegistryTable[] | object> = (value, field) =>
  Array.isArray(value) || typeof value !== 'object' ? registryList(value, field) : (value ?? {})
const fileSchema = object<{ readonly registry?: readonly RegistryTable[] | object }>({ registry: optional(registries) })

function clean(value = ''): string {
  return value.replace(/^https?:\/\//i, '').replace(/\/+$/, '')
}

function capabilities(mode: unknown, file: string): ReadonlySet<Capability> {
  switch (mode ?? 'all') {
    case 'all':
      return new Set<Capability>(['pull', 'resolve'])
    case 'digest-only':
      return new Set<Capability>(['pull'])
    case 'tag-only':
      return new Set<Capability>(['resolve'])
    default:
      throw registryErrors.configInvalid([
        file,
        `pull-from-mirror ${JSON.stringify(mode)} is none of all, digest-only, tag-only`,
      ])
  }
}

/** The rule with the longest prefix of `host/repository`; of equal ones the last. */
export function findRule(
  rules: readonly RegistryRule[],
  registry: string,
  repository: string,
): RegistryRule | undefined {
  const name = `${registry}/${repository}`
  let best: RegistryRule | undefined
  for (const rule of rules) {
    const matches = rule.prefix.startsWith('*.')
      ? registry.replace(/:\d+$/, '').endsWith(rule.prefix.slice(1))
      : name === rule.prefix || name.startsWith(`${rule.prefix}/`)
    if (matches && (best === undefined || rule.prefix.length >= best.prefix.length)) best = rule
  }
  return best
}
