/**
 * Which servers serve a registry: from the client's options, containerd's hosts.toml, docker's certs.d and
 * containers' registries.conf.
 */
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { readConfigFile } from '../auth/docker-config.ts'
import { registryErrors } from '../model/errors.ts'
import { normalizeRegistry } from '../model/reference.ts'
import { isLoopback } from '../transport/loopback.ts'
import { readCertificates } from '../transport/trust.ts'
import { readCertsDirectory } from './certs.ts'
import { allCapabilities, type Endpoint, readCapabilities, writeCapabilities } from './endpoint.ts'
import { parseHostsToml } from './hosts-toml.ts'
import { findRule, parseRegistriesConf, type RegistryRule } from './registries-conf.ts'

/** Which servers to use. Registry names are as in references. */
export interface HostsOptions {
  /** Registry → servers to try before it, as `HOST[:PORT][/PATH]` or URL. */
  readonly mirrors?: Readonly<Record<string, string | readonly string[]>> | undefined
  /** A registry that has mirrors among these options is not read from itself. */
  readonly mirrorsOnly?: boolean | undefined
  /** Registries to speak plain http with; true for all. Loopback ones are tried in plain http anyway. */
  readonly plainHttp?: boolean | readonly string[] | undefined
  /** Registries whose certificate is not checked, and which may be plain http; true for all. */
  readonly insecure?: boolean | readonly string[] | undefined
  /** Files with certificate authorities to trust beside Node's and the system's ones, in PEM. */
  readonly caFiles?: readonly string[] | undefined
  /** Directories with a folder per registry: `hosts.toml`, or `*.crt`, `*.cert` and `*.key`. */
  readonly certsDirs?: readonly string[] | undefined
  /** registries.conf files, the later ones adding to the earlier ones. */
  readonly registriesConf?: readonly string[] | undefined
}

/** Finds the servers of a registry. Reads each file once. */
export class HostsResolver {
  readonly #options: HostsOptions
  readonly #mirrors: ReadonlyMap<string, readonly string[]>
  readonly #known = new Map<string, Promise<Endpoint[]>>()
  #rules: Promise<RegistryRule[]> | undefined
  #authorities: Promise<readonly string[]> | undefined

  constructor(options: HostsOptions) {
    // A later change of the current directory changes nothing.
    this.#options = { ...options, caFiles: options.caFiles?.map((file) => resolve(file)) }
    this.#mirrors = new Map(
      Object.entries(options.mirrors ?? {}).map(([registry, mirrors]) => [
        normalizeRegistry(registry),
        typeof mirrors === 'string' ? [mirrors] : mirrors,
      ]),
    )
  }

  /**
   * The servers in the order to try them, the registry itself last.
   *
   * @throws RegistryError CONFIG_INVALID, DENIED when the registry is blocked
   */
  async endpoints(registry: string, repository: string): Promise<Endpoint[]> {
    this.#rules ??= this.#loadRules()
    const rule = findRule(await this.#rules, registry, repository)
    if (rule?.blocked) {
      throw registryErrors.denied([`${registry}/${repository}`, 'the registry is blocked by registries.conf'])
    }
    const key = rule === undefined ? registry : `${registry}\n${rule.prefix}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const loading = this.#load(registry, rule)
    this.#known.set(key, loading)
    loading.catch(() => this.#known.delete(key))
    return loading
  }

  async #load(registry: string, rule: RegistryRule | undefined): Promise<Endpoint[]> {
    const configured = (this.#mirrors.get(registry) ?? []).map((mirror) => this.#mirror(mirror, registry))
    const mirrors = await Promise.all(configured)
    if (mirrors.length > 0 && this.#options.mirrorsOnly) {
      const upstream = await this.#upstream(registry, rule)
      return [...mirrors, ...upstream.map((server) => ({ ...server, capabilities: writeCapabilities }))]
    }
    return [...mirrors, ...(await this.#upstream(registry, rule))]
  }

  /** Without the mirrors of the options. */
  async #upstream(registry: string, rule: RegistryRule | undefined): Promise<Endpoint[]> {
    if (rule !== undefined) return await this.#byRule(registry, rule)
    const upstream = await this.#server(registry, registry, listed(this.#options.insecure, registry))
    const file = await this.#hostsToml(registry)
    if (file === undefined) return [upstream]
    const hosts = (await parseHostsToml(file.text, file.path, upstream)).map((host) => this.#asTold(host))
    return await Promise.all(hosts)
  }

  /** A server without path, with its certificates. */
  async #server(host: string, registry: string, insecure: boolean): Promise<Endpoint> {
    const certificates = await this.#certificates(host)
    const tls = await this.#trusting(certificates)
    const hub = host === 'docker.io'
    const address = hub ? 'registry-1.docker.io' : host
    const hostname = new URL(`http://${address}`).hostname
    // Certificates for a loopback server are there because it speaks TLS.
    const plain =
      listed(this.#options.plainHttp, host) || (isLoopback(hostname) && certificates === undefined && !insecure)
    const settings: ConnectionOptions | undefined = insecure ? { ...tls, rejectUnauthorized: false } : tls
    const guess = plain && !listed(this.#options.plainHttp, host) ? 'https:' : insecure && !plain ? 'http:' : undefined
    return {
      registry,
      host: hub ? 'docker.io' : host,
      base: new URL(`${plain ? 'http' : 'https'}://${address}/v2/`),
      ...(guess !== undefined && { otherScheme: guess }),
      capabilities: allCapabilities,
      ...(settings !== undefined && { tls: settings }),
      mirror: false,
    }
  }

  /** A server that a file describes, with what the options say of it. */
  async #asTold(endpoint: Endpoint): Promise<Endpoint> {
    const tls = await this.#trusting(endpoint.tls)
    const settings = listed(this.#options.insecure, endpoint.base.host) ? { ...tls, rejectUnauthorized: false } : tls
    return settings === undefined ? endpoint : { ...endpoint, tls: settings }
  }

  /** Whom servers are trusted with that no file speaks of: the authorities of the options; the same object each time. */
  trusted(): Promise<ConnectionOptions | undefined> {
    this.#trusted ??= this.#trusting(undefined)
    return this.#trusted
  }
  #trusted: Promise<ConnectionOptions | undefined> | undefined

  /** Settings that trust the authorities of the options, too. */
  async #trusting(tls: ConnectionOptions | undefined): Promise<ConnectionOptions | undefined> {
    const { caFiles = [] } = this.#options
    if (caFiles.length === 0) return tls
    this.#authorities ??= Promise.all(caFiles.map(readCertificates)).then((lists) => lists.flat())
    const known = tls?.ca === undefined ? [] : [tls.ca].flat()
    return { ...tls, ca: [...new Set([...known, ...(await this.#authorities)])] }
  }

  /** `HOST[:PORT][/PATH]` or a URL; a path goes before the repository, as mirrors of several registries have it. */
  async #mirror(text: string, registry: string): Promise<Endpoint> {
    const scheme = /^(https?):\/\//i.exec(text)?.[1]?.toLowerCase()
    const bare = text.replace(/^https?:\/\//i, '').replace(/\/+$/, '')
    const slash = bare.indexOf('/')
    const host = normalizeRegistry(slash < 0 ? bare : bare.slice(0, slash))
    const path = slash < 0 ? '' : bare.slice(slash + 1).replace(/^v2(?:\/|$)/, '')
    if (!URL.canParse(`http://${host}/`))
      throw registryErrors.configInvalid(['mirrors', `${JSON.stringify(text)} is not a host`])
    const { otherScheme, ...server } = await this.#server(host, registry, listed(this.#options.insecure, host))
    const base = new URL(server.base)
    if (scheme !== undefined) base.protocol = `${scheme}:`
    return {
      ...server,
      base,
      ...(scheme === undefined && otherScheme !== undefined && { otherScheme }),
      capabilities: readCapabilities,
      namespace: registry,
      ...(path !== '' && { rewrite: { from: '', to: path } }),
      mirror: true,
    }
  }

  async #byRule(registry: string, rule: RegistryRule): Promise<Endpoint[]> {
    const place = async (location: string, insecure: boolean): Promise<Endpoint> => {
      const [host, ...path] = location.split('/')
      const server = await this.#server(
        normalizeRegistry(host!),
        registry,
        insecure || listed(this.#options.insecure, host!),
      )
      const from = rule.prefix.startsWith('*.') ? '' : rule.prefix.split('/').slice(1).join('/')
      const to = path.join('/')
      return from === to ? server : { ...server, rewrite: { from, to } }
    }
    const mirrors = rule.mirrors.map(async ({ location, insecure, capabilities }) => {
      return { ...(await place(location, insecure)), capabilities, mirror: true }
    })
    const location = rule.prefix.startsWith('*.') && rule.location === rule.prefix ? registry : rule.location
    return Promise.all([...mirrors, place(location, rule.insecure)])
  }

  async #certificates(host: string): Promise<ConnectionOptions | undefined> {
    for (const folder of this.#folders(host)) {
      const tls = await readCertsDirectory(folder)
      if (tls !== undefined) return tls
    }
    return undefined
  }

  async #hostsToml(registry: string): Promise<{ text: string; path: string } | undefined> {
    const folders = [...this.#folders(registry), ...(this.#options.certsDirs ?? []).map((dir) => join(dir, '_default'))]
    for (const folder of folders) {
      const path = join(folder, 'hosts.toml')
      const text = await readConfigFile(path)
      if (text !== undefined) return { text, path }
    }
    return undefined
  }

  /** containerd also accepts `host_port_` where a colon is no good in a file name. */
  #folders(host: string): string[] {
    const names = [host, ...(/:\d+$/.test(host) ? [host.replace(/:(\d+)$/, '_$1_')] : [])]
    return (this.#options.certsDirs ?? []).flatMap((dir) => names.map((name) => join(dir, name)))
  }

  async #loadRules(): Promise<RegistryRule[]> {
    const rules: RegistryRule[] = []
    for (const file of this.#options.registriesConf ?? []) {
      for (const path of [file, ...(await dropIns(`${file}.d`))]) {
        const text = await readConfigFile(path)
        if (text !== undefined) rules.push(...parseRegistriesConf(text, path))
      }
    }
    return rules
  }
}

async function dropIns(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder)
    return names
      .filter((name) => name.endsWith('.conf'))
      .sort()
      .map((name) => join(folder, name))
  } catch {
    return []
  }
}

function listed(list: boolean | readonly string[] | undefined, host: string): boolean {
  if (list === undefined || typeof list === 'boolean') return list === true
  return list.some((name) => normalizeRegistry(name) === host)
}

/** Where such files are by default. */
export function defaultHostFiles(
  env: Readonly<Record<string, string | undefined>>,
): Required<Pick<HostsOptions, 'certsDirs' | 'registriesConf'>> {
  const home = env.HOME
  const user = env.XDG_CONFIG_HOME || (home ? `${home}/.config` : undefined)
  const own = env.CONTAINERS_REGISTRIES_CONF
  return {
    certsDirs: [
      ...(user ? [`${user}/containers/certs.d`] : []),
      '/etc/containerd/certs.d',
      '/etc/docker/certs.d',
      '/etc/containers/certs.d',
    ],
    registriesConf: own
      ? [own]
      : ['/etc/containers/registries.conf', ...(user ? [`${user}/containers/registries.conf`] : [])],
  }
}
