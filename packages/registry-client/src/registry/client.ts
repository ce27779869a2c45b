/**
 * RegistryClient: what all repositories of one program share, and the way to them.
 */
import { type CredentialProvider, type Credentials, firstOf } from '../auth/credentials.ts'
import { defaultCredentials } from '../auth/docker-config.ts'
import type { Capability } from '../hosts/endpoint.ts'
import { defaultHostFiles, type HostsOptions, HostsResolver } from '../hosts/resolver.ts'
import type { CallOptions } from '../model/content.ts'
import { normalizeRegistry, parseReference, type Reference } from '../model/reference.ts'
import { Connections } from '../transport/connections.ts'
import type { RegistryEventListener } from '../transport/events.ts'
import { type ProxyOptions, proxiesFromEnv, proxySelector } from '../transport/proxy.ts'
import { defaultRetry, type RetryOptions } from '../transport/retry.ts'
import { defaultTimeouts, type Timeouts } from '../transport/timeouts.ts'
import { Trust } from '../transport/trust.ts'
import { downloadUrl, requestUrl, type UrlAnswer, type UrlOptions, type UrlRequest } from './download-url.ts'
import type { HostEnvironment } from './environment.ts'
import { HostClient } from './host-client.ts'
import { type KeyedLock, keyedLock } from './referrers.ts'
import { Repository } from './repository.ts'
import type { ForeignLayerOptions, Limits, RepositoryAccess } from './repository-access.ts'
import { listCatalog } from './tags.ts'

/** Options of a client. Everything has a default; the environment is read only here. */
export interface RegistryClientOptions extends HostsOptions {
  /** Asked before the docker config and podman's files; `false` for no credentials at all. */
  readonly credentials?: CredentialProvider | false | undefined
  /** Directory of the docker config file; default $DOCKER_CONFIG, else `~/.docker`. */
  readonly dockerConfig?: string | undefined
  /** Environment for defaults: credentials, proxies, configuration files. Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Default: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY of `env`; `false` for none. */
  readonly proxy?: ProxyOptions | false | undefined
  readonly retry?: Partial<RetryOptions> | undefined
  readonly timeouts?: Partial<Timeouts> | undefined
  readonly limits?: Partial<Limits> | undefined
  /** Whether layers may be fetched from the URLs that a manifest names. Default: no. */
  readonly foreignLayers?: ForeignLayerOptions | undefined
  /** Ranges in which a blob above 32 MiB is fetched at the same time, 8 MiB of memory each. Default 1: no ranges. */
  readonly parallelRanges?: number | undefined
  readonly userAgent?: string | undefined
  readonly onEvent?: RegistryEventListener | undefined
  /** Milliseconds since the epoch; default `Date.now`. */
  readonly now?: (() => number) | undefined
  /** In [0, 1); default `Math.random`. */
  readonly random?: (() => number) | undefined
}

const defaultLimits: Limits = { manifestBytes: 4 << 20, indexDepth: 4 }

/**
 * Talks to registries. One client keeps connections, tokens and what it learned about servers; make one per program
 * or task and dispose it (`await using`) when done.
 *
 * @example
 * await using client = new RegistryClient()
 * const alpine = client.repository('alpine:3.20')
 * const descriptor = await alpine.resolve()
 */
export class RegistryClient implements AsyncDisposable {
  readonly #env: HostEnvironment
  readonly #resolver: HostsResolver
  readonly #hosts = new Map<string, HostClient>()
  readonly #options: RegistryClientOptions
  readonly #limits: Limits
  readonly #lock: KeyedLock = keyedLock()

  constructor(options: RegistryClientOptions = {}) {
    const env = options.env ?? process.env
    const timeouts = { ...defaultTimeouts, ...options.timeouts }
    const proxyFor = options.proxy === false ? () => undefined : proxySelector(options.proxy ?? proxiesFromEnv(env))
    const { credentials } = options
    const files = () => defaultCredentials(env, options.dockerConfig)
    this.#options = options
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#env = {
      connections: new Connections({ connectMs: timeouts.connectMs, proxyFor, trust: new Trust(env) }),
      credentials:
        credentials === false ? () => undefined : credentials === undefined ? files() : firstOf(credentials, files()),
      trusted: () => this.#resolver.trusted(),
      retry: { ...defaultRetry, ...options.retry },
      timeouts,
      userAgent: options.userAgent ?? 'tsbuild-registry-client/0.1',
      now: options.now ?? Date.now,
      random: options.random ?? Math.random,
      onEvent: options.onEvent ?? (() => {}),
    }
    this.#resolver = new HostsResolver({ ...defaultHostFiles(env), ...options })
  }

  /**
   * One repository. The tag or digest of a reference becomes the default of {@link Repository.resolve}.
   *
   * @throws RegistryError REFERENCE_INVALID
   */
  repository(reference: string | Reference): Repository {
    const parsed = typeof reference === 'string' ? parseReference(reference) : reference
    const { registry, repository } = parsed
    let resolved: Promise<HostClient[]> | undefined
    const access: RepositoryAccess = {
      registry,
      repository,
      limits: this.#limits,
      foreign: this.#options.foreignLayers ?? { allow: false },
      parallelRanges: this.#options.parallelRanges ?? 1,
      suspects: new Set(),
      hosts: async (capability: Capability) => {
        resolved ??= this.#hostClients(registry, repository)
        const able = (await resolved).filter((host) => host.endpoint.capabilities.has(capability) && !host.isDown)
        // Writes go to one server: the first that is configured for them, as containerd has it.
        return capability === 'push' ? able.slice(0, 1) : able
      },
    }
    return new Repository(parsed, access, this.#lock)
  }

  /**
   * Asks a registry whether it accepts credentials, as `docker login` does (distribution-spec "Determining Support").
   * They are used for this request only. Mirrors are not asked.
   *
   * @throws RegistryError UNAUTHORIZED when it does not
   */
  async checkCredentials(registry: string, credentials: Credentials, options: CallOptions = {}): Promise<void> {
    const endpoints = await this.#resolver.endpoints(normalizeRegistry(registry), '')
    const env = { ...this.#env, credentials: () => credentials }
    const call = { method: 'GET', path: '', repository: '', scopes: [], expect: [200], what: registry } as const
    const answer = await new HostClient(endpoints.at(-1)!, env).send({ ...call, signal: options.signal })
    await answer.body.discard()
  }

  /**
   * Names of the repositories of a registry, where it tells (`/v2/_catalog`, which is docker's own and often limited
   * to administrators).
   */
  async *catalog(registry: string, options: CallOptions = {}): AsyncGenerator<string> {
    const name = normalizeRegistry(registry)
    const host = (await this.#hostClients(name, '')).at(-1)!
    yield* listCatalog(host, name, this.#limits.manifestBytes, options.signal)
  }

  /**
   * Asks a server that is no registry for a URL, with the proxies, authorities, patience and time-outs of the client, and
   * none of its credentials; a user in the URL is for its own origin. Every status that does not pass by itself is
   * returned.
   *
   * @throws RegistryError NETWORK, TIMEOUT, REDIRECT_REFUSED
   */
  get(url: string | URL, options: UrlOptions = {}): Promise<UrlAnswer> {
    return downloadUrl(this.#env, url, options)
  }

  /**
   * Asks a service for something, like {@link RegistryClient.get}, but by any method, with headers of the caller alone, and
   * without following redirects: every status that does not pass by itself is returned.
   *
   * @throws RegistryError NETWORK, TIMEOUT
   */
  request(url: URL, request: UrlRequest): Promise<UrlAnswer> {
    return requestUrl(this.#env, url, request)
  }

  async #hostClients(registry: string, repository: string): Promise<HostClient[]> {
    const endpoints = await this.#resolver.endpoints(registry, repository)
    return endpoints.map((endpoint) => {
      const key = [endpoint.base.href, endpoint.host, endpoint.namespace, endpoint.mirror].join(' ')
      const known = this.#hosts.get(key)
      if (known !== undefined && known.endpoint.rewrite === endpoint.rewrite) return known
      const made = new HostClient(endpoint, this.#env)
      this.#hosts.set(key, made)
      return made
    })
  }

  /** Closes all connections; requests in flight fail. */
  async close(): Promise<void> {
    await this.#env.connections.close()
  }

  /** The same as {@link RegistryClient.close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
