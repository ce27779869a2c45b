/**
 * containerd's `hosts.toml`: the servers that a registry is pulled from and pushed to, in order.
 */
import { dirname, resolve } from 'node:path'
import { registryErrors } from '../model/errors.ts'
import { loadTls } from './certs.ts'
import { allCapabilities, type Capability, type Endpoint } from './endpoint.ts'
import { parseToml, type Table } from './toml.ts'

/**
 * The servers that a file names, the registry itself last unless `server` says otherwise.
 *
 * @param upstream the registry as it would be used without the file
 * @throws RegistryError CONFIG_INVALID
 */
export async function parseHostsToml(text: string, file: string, upstream: Endpoint): Promise<Endpoint[]> {
  const fail = (why: string) => registryErrors.configInvalid([file, why])
  const root = parseToml(text, file)
  const endpoints: Endpoint[] = []
  for (const [name, table] of Object.entries((root.host as Table | undefined) ?? {})) {
    if (typeof table !== 'object' || table === null) throw fail(`host ${name} is not a table`)
    endpoints.push(await endpointOf(name, table as Table, file, upstream, true))
  }
  const server = root.server === undefined || root.server === '' ? upstream.base.origin : String(root.server)
  const last = await endpointOf(server, root, file, upstream, false)
  // A table for the registry itself says how to talk to it: it is not a mirror of itself.
  const described = root.server === undefined && endpoints.some(({ base }) => base.href === last.base.href)
  return described ? endpoints : [...endpoints, last]
}

async function endpointOf(
  name: string,
  table: Table,
  file: string,
  upstream: Endpoint,
  mirror: boolean,
): Promise<Endpoint> {
  const fail = (why: string) => registryErrors.configInvalid([file, why])
  const written = /^https?:\/\//i.test(name) ? name : `https://${name}`
  if (!URL.canParse(written)) throw fail(`${JSON.stringify(name)} is not a host`)
  const base = new URL(written)
  const path = base.pathname.replace(/\/+$/, '')
  // override_path: the path is all there is, without /v2, as some proxies of several registries want it.
  base.pathname = table.override_path === true ? `${path}/` : path.endsWith('/v2') ? `${path}/` : `${path}/v2/`
  const folder = dirname(file)
  const strings = (value: unknown): string[] =>
    value === undefined ? [] : Array.isArray(value) ? value.map(String) : [String(value)]
  const cas = strings(table.ca).map((ca) => resolve(folder, ca))
  const tls = await loadTls(cas, clientPairs(table.client, folder), table.skip_verify === true)
  const own = base.host === upstream.base.host
  const headers = headersOf(table.header)
  return {
    registry: upstream.registry,
    host: own ? upstream.host : base.host,
    base,
    capabilities: capabilitiesOf(table.capabilities, fail),
    ...(tls === undefined
      ? own && upstream.tls !== undefined && { tls: upstream.tls }
      : { tls: own ? { ...upstream.tls, ...tls } : tls }),
    ...(headers !== undefined && { headers }),
    ...(!own && { namespace: upstream.registry }),
    mirror: mirror && !own,
  }
}

function capabilitiesOf(value: unknown, fail: (why: string) => Error): ReadonlySet<Capability> {
  if (value === undefined) return allCapabilities
  if (!Array.isArray(value)) throw fail('capabilities is not a list')
  const known = value.map((name) => {
    if (name !== 'pull' && name !== 'resolve' && name !== 'push')
      throw fail(`unknown capability ${JSON.stringify(name)}`)
    return name
  })
  return new Set<Capability>(known)
}

/** `"both.pem"`, `["a.pem", "b.pem"]` or `[["cert.pem", "key.pem"]]`. */
function clientPairs(value: unknown, folder: string): [string, string][] {
  const path = (name: unknown) => (name === undefined || name === '' ? '' : resolve(folder, String(name)))
  if (value === undefined) return []
  if (typeof value === 'string') return [[path(value), '']]
  if (!Array.isArray(value)) return []
  return value.map((entry) => (Array.isArray(entry) ? [path(entry[0]), path(entry[1])] : [path(entry), '']))
}

function headersOf(value: unknown): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const headers = Object.entries(value as Table).map(
    ([name, v]) => [name.toLowerCase(), Array.isArray(v) ? v.join(', ') : String(v)] as const,
  )
  return Object.fromEntries(headers)
}
