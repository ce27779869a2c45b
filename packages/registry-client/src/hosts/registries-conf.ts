/**
 * containers' `registries.conf` (version 2): mirrors, rewritten locations, blocked and insecure registries.
 */
import { registryErrors } from '../model/errors.ts'
import type { Capability } from './endpoint.ts'
import { parseToml, type Table } from './toml.ts'

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
  const root = parseToml(text, file)
  if (root.registry === undefined) return []
  if (!Array.isArray(root.registry))
    throw registryErrors.configInvalid([file, 'version 1 of the format is not supported: use [[registry]]'])
  return root.registry.map((table: Table) => {
    const location = clean(table.location ?? table.prefix)
    const prefix = clean(table.prefix ?? table.location)
    if (prefix === '') throw registryErrors.configInvalid([file, 'a [[registry]] has neither prefix nor location'])
    const digestOnly = table['mirror-by-digest-only'] === true
    const mirrors = Array.isArray(table.mirror) ? (table.mirror as Table[]) : []
    return {
      prefix,
      location,
      insecure: table.insecure === true,
      blocked: table.blocked === true,
      mirrors: mirrors.map((mirror) => ({
        location: clean(mirror.location),
        insecure: mirror.insecure === true,
        capabilities: capabilities(digestOnly ? 'digest-only' : mirror['pull-from-mirror'], file),
      })),
    }
  })
}

function clean(value: unknown): string {
  return typeof value === 'string' ? value.replace(/^https?:\/\//i, '').replace(/\/+$/, '') : ''
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
