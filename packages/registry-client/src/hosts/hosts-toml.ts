/**
 * containerd's `hosts.toml`: the servers that a registry is pulled from and pushed to, in order.
 */
import { dirname, resolve } from 'node:path'
import { registryErrors } from '../model/errors.ts'
import { flag, list, object, optional, type Schema, text as string, table } from '../model/schema.ts'
import { loadTls } from './certs.ts'
import { allCapabilities, type Capability, type Endpoint } from './endpoint.ts'
import { parseToml } from './toml.ts'

/**
 * The servers that a file names, the registry itself last unless `server` says otherwise.
 *
 * @param upstream the registry as it would be used without the file
 * @throws RegistryError CONFIG_INVALID
 */
export async function parseHostsToml(text: string, file: string, upstream: Endpoint): Promise<Endpoint[]> {
  const root = parseToml(text, file, fileSchema)
  const endpoints: Endpoint[] = []
  for (const [name, host] of Object.entries(root.host ?? {}))
    endpoints.push(await endpointOf(name, host, file, upstream, true))
  const server = root.server || upstream.base.origin
  const last = await endpointOf(server, root, file, upstream, false)
  // A table for the registry itself says how to talk to it: it is not a mirror of itself.
  const described = root.server === undefined && endpoints.some(({ base }) => base.href === last.base.href)
  return described ? endpoints : [...endpoints, last]
}

interface HostTable {
  readonly capabilities?: readonly string[]
  readonly ca?: string | readonly string[]
  readonly client?: string | readonly (string | readonly string[])[]
  readonly skip_verify?: boolean
  readonly override_path?: boolean
  readonly header?: Readonly<Record<string, string | readonly string[]>>
}

interface HostsFile extends HostTable {
  readonly server?: string
  readonly host?: Readonly<Record<string, HostTable>>
}

const oneOrMany =
  <T>(schema: Schema<T>, of: string): Schema<string | readonly T[]> =>
  (value, field) =>
    Array.isArray(value) ? list(schema, of)(value, field) : string(value, field)
const texts = oneOrMany(string, 'texts')
const hostFields = {
  capabilities: optional(list(string, 'texts')),
  ca: optional(texts),
  client: optional(oneOrMany(texts, 'texts or pairs of texts')),
  skip_verify: optional(flag),
  override_path: optional(flag),
  header: optional(table(texts, 'texts')),
}
const fileSchema = object<HostsFile>({
  ...hostFields,
  server: optional(string),
  host: optional(table(object<HostTable>(hostFields, 'a table'), 'tables')),
})

async function endpointOf(
  name: string,
  table: HostTable,
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
  const cas = [table.ca ?? []].flat().map((ca) => resolve(folder, ca))
  const tls = await loadTls(cas, clientPairs(table.client, folder), table.skip_verify === true)
  const own = base.host === upstream.base.host
  const headers = headersOf(table.header, fail)
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

function capabilitiesOf(value: readonly string[] | undefined, fail: (why: string) => Error): ReadonlySet<Capability> {
  if (value === undefined) return allCapabilities
  const known = value.map((name) => {
    if (name !== 'pull' && name !== 'resolve' && name !== 'push')
      throw fail(`unknown capability ${JSON.stringify(name)}`)
    return name
  })
  return new Set<Capability>(known)
}

/** `"both.pem"`, `["a.pem", "b.pem"]` or `[["cert.pem", "key.pem"]]`. */
function clientPairs(value: HostTable['client'] = [], folder: string): [string, string][] {
  const path = (name = '') => (name === '' ? '' : resolve(folder, name))
  return [value].flat().map((entry) => {
    const [cert, key] = [entry].flat()
    return [path(cert), path(key)]
  })
}

function headersOf(value: HostTable['header'], fail: (why: string) => Error): Record<string, string> | undefined {
  if (value === undefined) return undefined
  const headers = Object.entries(value).map(([name, given]) => [name.toLowerCase(), [given].flat().join(', ')] as const)
  for (const [name, content] of headers)
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(content))
      throw fail(`header ${JSON.stringify(name)} cannot be sent`)
  return Object.fromEntries(headers)
}
