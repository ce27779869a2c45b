/**
 * RegistryClient and Repository: the chapters of the distribution-spec as one object per registry repository.
 */
import { type CredentialProvider, type Credentials, firstOf } from '../auth/credentials.ts'
import { defaultCredentials } from '../auth/docker-config.ts'
import type { Capability } from '../hosts/endpoint.ts'
import { defaultHostFiles, type HostsOptions, HostsResolver } from '../hosts/resolver.ts'
import { companionsByTag, companionTag } from '../model/companions.ts'
import type {
  BlobPushResult,
  CallOptions,
  FetchedManifest,
  FoundCompanion,
  OpenBlobOptions,
  OpenContent,
  PushBlobOptions,
  PushManifestOptions,
  ReferrersOptions,
  Source,
  Target,
} from '../model/content.ts'
import { type Descriptor, parseManifest } from '../model/descriptor.ts'
import { type Digest, digestOf, type Expected } from '../model/digest.ts'
import { isRegistryError } from '../model/errors.ts'
import { bareMediaType } from '../model/media-types.ts'
import { checkNamedDigest, normalizeRegistry, parseReference, type Reference } from '../model/reference.ts'
import { selfVerifying } from '../model/verified-stream.ts'
import { Connections } from '../transport/connections.ts'
import type { RegistryEventListener } from '../transport/events.ts'
import { type ProxyOptions, proxiesFromEnv, proxySelector } from '../transport/proxy.ts'
import { defaultRetry, type RetryOptions } from '../transport/retry.ts'
import { Trust } from '../transport/trust.ts'
import { downloadBlob } from './download.ts'
import { defaultTimeouts, type HostEnvironment, type Timeouts } from './environment.ts'
import { HostClient } from './host-client.ts'
import { deleteManifest, fetchManifest, putManifest, resolveManifest } from './manifests.ts'
import { type KeyedLock, keyedLock, listReferrers, referrerOf, updateFallback } from './referrers.ts'
import type { ForeignLayerOptions, Limits, RepositoryAccess } from './repository-access.ts'
import { type ListTagsOptions, listCatalog, listTags } from './tags.ts'
import { deleteBlob, hasBlob, pushBlob } from './upload.ts'
import { type UploadStreamOptions, uploadStream } from './upload-stream.ts'

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
      proxyFor,
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

/** One repository of a registry: a {@link Source} and a {@link Target}, and everything else the spec can do. */
export class Repository implements Source, Target {
  /** As it was asked for. */
  readonly reference: Reference
  readonly #access: RepositoryAccess
  readonly #lock: KeyedLock

  /** @hidden repositories come from {@link RegistryClient.repository} */
  constructor(reference: Reference, access: RepositoryAccess, lock: KeyedLock) {
    this.reference = reference
    this.#access = access
    this.#lock = lock
  }

  /** `registry/repository`, as `mountFrom` wants it. */
  get name(): string {
    return `${this.reference.registry}/${this.reference.repository}`
  }

  /** Levels of indexes within indexes that are followed (see `RegistryClientOptions.limits`). */
  get indexDepth(): number {
    return this.#access.limits.indexDepth
  }

  /** The digest or tag of {@link reference}, else `latest`. */
  get defaultReference(): string {
    return this.reference.digest ?? this.reference.tag ?? 'latest'
  }

  async resolve(reference: string = this.defaultReference, options: CallOptions = {}): Promise<Descriptor> {
    return resolveManifest(this.#access, reference, options.signal)
  }

  async fetchManifest(
    reference: string | Descriptor = this.defaultReference,
    options: CallOptions = {},
  ): Promise<FetchedManifest> {
    return fetchManifest(this.#access, reference, options.signal)
  }

  openBlob(descriptor: Descriptor, options: OpenBlobOptions = {}): AsyncIterable<Buffer> {
    const stream = { [Symbol.asyncIterator]: () => downloadBlob(this.#access, descriptor, options) }
    return options.offset ? stream : selfVerifying(stream, descriptor.digest)
  }

  referrers(subject: Pick<Descriptor, 'digest'>, options: ReferrersOptions = {}): AsyncIterable<Descriptor> {
    return listReferrers(this.#access, subject, options)
  }

  companions(subject: Pick<Descriptor, 'digest'>, options: CallOptions = {}): AsyncIterable<FoundCompanion> {
    return companionsByTag(subject.digest, (tag) => this.fetchManifest(tag, options))
  }

  /** Tags page by page (distribution-spec "Listing Tags"). */
  tags(options: ListTagsOptions = {}): AsyncIterable<string> {
    return listTags(this.#access, options)
  }

  async hasBlob(descriptor: Pick<Descriptor, 'digest'>, options: CallOptions = {}): Promise<boolean> {
    return hasBlob(this.#access, descriptor, options.signal)
  }

  async pushBlob(descriptor: Descriptor, open: OpenContent, options: PushBlobOptions = {}): Promise<BlobPushResult> {
    return pushBlob(this.#access, descriptor, open, options)
  }

  /** Sends content whose digest is not known yet. It is read once and cannot be resumed. */
  async uploadStream(content: AsyncIterable<Uint8Array>, options: UploadStreamOptions = {}): Promise<Expected> {
    return uploadStream(this.#access, content, options)
  }

  /**
   * Stores a manifest. One with a `subject` is also listed among its referrers where the registry does not do so
   * itself (distribution-spec "Pushing Manifests with Subject").
   *
   * @throws RegistryError DIGEST_MISMATCH when it is to be named and {@link reference} has another digest
   */
  async pushManifest(bytes: Uint8Array, mediaType: string, options: PushManifestOptions = {}): Promise<Descriptor> {
    const { signal, algorithm, companionOf = [] } = options
    parseManifest(bytes, mediaType)
    const digest = digestOf(bytes, algorithm)
    if (options.tags?.length) checkNamedDigest(this.reference, digest)
    const tags = [...(options.tags ?? []), ...companionOf.map(companionTag)]
    const descriptor: Descriptor = { mediaType: bareMediaType(mediaType), digest, size: bytes.length }
    const subject = await putManifest(this.#access, { bytes, mediaType, digest, tags, signal })
    const referrer = referrerOf(bytes, descriptor)
    if (referrer !== undefined && subject === undefined) {
      await updateFallback(this.#access, this.#lock, referrer.subject, { add: referrer.referrer }, signal)
    }
    return descriptor
  }

  /** Deletes a manifest and takes it out of the list of referrers of its subject. */
  async deleteManifest(digest: Digest, options: CallOptions = {}): Promise<void> {
    const { signal } = options
    const { bytes, descriptor } = await this.fetchManifest(digest, options)
    const referrer = referrerOf(bytes, descriptor)
    await deleteManifest(this.#access, digest, signal)
    if (referrer === undefined) return
    try {
      await updateFallback(this.#access, this.#lock, referrer.subject, { remove: digest }, signal)
    } catch (error) {
      // The manifest is gone, which is what was asked for; lists with dangling entries are allowed.
      if (!isRegistryError(error)) throw error
    }
  }

  /** Deletes a tag but not the manifest. @throws RegistryError REJECTED where the registry cannot */
  async deleteTag(tag: string, options: CallOptions = {}): Promise<void> {
    await deleteManifest(this.#access, tag, options.signal)
  }

  /** Deletes a blob (distribution-spec "Deleting Blobs"); one that does not exist is an error. */
  async deleteBlob(digest: Digest, options: CallOptions = {}): Promise<void> {
    await deleteBlob(this.#access, digest, options.signal)
  }
}
