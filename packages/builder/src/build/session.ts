/**
 * What one call of the library holds open: the store with a lease on it, connections to registries, contexts, and the
 * worker, which starts when a step first needs it. Disposing it ends all of that.
 */
import {
  formatPlatform,
  formatReference,
  type Platform,
  type Reference,
  RegistryClient,
  type RegistryClientOptions,
  type Repository,
} from '@tsbuild/registry-client'
import type { GitAccess } from '../context/git.ts'
import type { BuildError } from '../errors.ts'
import { workDigest } from '../graph/vertex.ts'
import { type FoundImage, ImageResolver } from '../image/resolve.ts'
import type { BuildWarning, ProgressEvent, ProgressListener } from '../progress.ts'
import type { Store } from '../store/store.ts'
import { callbackFailure } from './callback.ts'
import { Contexts } from './contexts.ts'
import { gitAccess } from './git-access.ts'
import type { Pins } from './pins.ts'
import type { Settings } from './settings.ts'
import { openStateToAsk, openStateToWrite } from './state.ts'

export class Session implements AsyncDisposable {
  readonly settings: Settings
  readonly store: Store
  readonly signal: AbortSignal
  readonly images: ImageResolver
  /** What git may use to prove who one is. */
  readonly git: GitAccess
  readonly contexts: Contexts
  readonly warnings: BuildWarning[] = []
  /** Asks registries, and other servers for what is downloaded. */
  readonly client: RegistryClient
  /** What a lock file says, once it was read. */
  #pins: Pins | undefined
  readonly #resources: AsyncDisposableStack
  #listener: ProgressListener | undefined
  /** Aborted with the caller's signal, or with the error of a listener that threw. */
  readonly #ended = new AbortController()
  /** What a listener threw. */
  #thrown: BuildError | undefined
  readonly #resolved = new Map<string, Promise<FoundImage>>()
  #insecure: RegistryClient | undefined
  readonly #names = new Map<string, number>()
  /** Where the Dockerfile was read. */
  #definition: string | undefined
  #ids = 0

  private constructor(settings: Settings, store: Store, client: RegistryClient, resources: AsyncDisposableStack) {
    this.settings = settings
    this.store = store
    const { signal } = settings.options
    this.signal = this.#ended.signal
    // Not AbortSignal.any: that one is held by nobody but those who listen.
    const end = () => this.#ended.abort(signal?.reason)
    if (signal?.aborted) end()
    signal?.addEventListener('abort', end, { once: true })
    resources.defer(async () => signal?.removeEventListener('abort', end))
    this.client = client
    this.#resources = resources
    this.#listener = settings.options.onProgress
    this.images = new ImageResolver({
      store,
      repository: (reference) => this.repository(reference, { insecure: settings.options.insecurePull === true }),
      pull: settings.options.pull === true,
      signal: this.signal,
      onOffline: (reference, problem) => this.warn({ rule: '', message: `using the stored ${reference}: ${problem}` }),
    })
    this.git = gitAccess(settings, store)
    this.contexts = resources.use(
      new Contexts(settings, store, client, this.git, this.signal, (title, work) => this.task(title, work)),
    )
  }

  /**
   * Opens the store and what a call needs at least. The caller disposes the session.
   *
   * @param access `ask`: the call can do without writing to the store
   */
  static async open(settings: Settings, access: 'write' | 'ask' = 'write'): Promise<Session> {
    const resources = new AsyncDisposableStack()
    try {
      const store = await (access === 'ask' ? openStateToAsk : openStateToWrite)(settings.root, resources)
      return new Session(settings, store, resources.use(openRegistryClient(settings)), resources)
    } catch (error) {
      await resources.disposeAsync()
      throw error
    }
  }

  get pins(): Pins | undefined {
    return this.#pins
  }

  /** Has sources looked up by what is known of them. */
  usePins(pins: Pins): void {
    this.#pins = pins
    this.contexts.pins = pins
  }

  /** Ties something to the end of the session. */
  use<T extends AsyncDisposable>(resource: T): T {
    return this.#resources.use(resource)
  }

  /** Resolves an image, shown as a line of progress once. */
  resolveImage(reference: string, platform: Platform): Promise<FoundImage> {
    const key = `${reference} ${formatPlatform(platform)}`
    let found = this.#resolved.get(key)
    if (found === undefined) {
      found = this.task(`[internal] load metadata for ${reference}`, () => this.images.resolve(reference, platform))
      found.catch(() => undefined)
      this.#resolved.set(key, found)
    }
    return found
  }

  /** @param options `insecure`: a registry without TLS, or with a certificate that nobody vouches for, will do */
  repository(reference: Reference | string, options: { readonly insecure?: boolean } = {}): Repository {
    const client = options.insecure ? this.#insecureClient() : this.client
    return client.repository(typeof reference === 'string' ? reference : formatReference(reference))
  }

  #insecureClient(): RegistryClient {
    this.#insecure ??= this.use(openRegistryClient(this.settings, { insecure: true }))
    return this.#insecure
  }

  /** Never throws, since events also come where nobody could catch it: a listener that does fails the call. */
  emit(event: ProgressEvent): void {
    try {
      this.#listener?.(event)
    } catch (cause) {
      this.#listener = undefined
      this.#thrown = callbackFailure('onProgress', cause)
      this.#ended.abort(this.#thrown)
    }
  }

  nextId(): string {
    this.#ids++
    return String(this.#ids)
  }

  warn(warning: BuildWarning): void {
    this.warnings.push(warning)
    const id = warning.at && this.#definition
    this.emit({ type: 'warning', ...(id && { id }), warning, time: Date.now() })
  }

  /** Reads the Dockerfile as a line of progress, which warnings about it belong to. */
  async define<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.#definition ??= String(this.#ids + 1)
    return await this.task(name, work)
  }

  /** Runs one piece of work as a line of progress. */
  async task<T>(
    name: string,
    work: (report: (item: string, current: number, total: number) => void) => Promise<T>,
  ): Promise<T> {
    const id = this.nextId()
    this.emit({ type: 'started', vertex: { id, name, digest: this.#digestOf(name) }, time: Date.now() })
    try {
      const result = await work((item, current, total) =>
        this.emit({ type: 'progress', id, item, current, total, time: Date.now() }),
      )
      this.emit({ type: 'done', id, time: Date.now() })
      return result
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (this.signal.aborted) this.emit({ type: 'canceled', id, time: Date.now() })
      else this.emit({ type: 'failed', id, message, time: Date.now() })
      throw error
    }
  }

  /** Of equal names each is another piece of work. */
  #digestOf(name: string): string {
    const before = this.#names.get(name) ?? 0
    this.#names.set(name, before + 1)
    return workDigest(before === 0 ? name : `${name} ${before}`)
  }

  /** @throws BuildError CALLBACK_FAILED when the listener threw, however the call went on */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
    if (this.#thrown !== undefined) throw this.#thrown
  }
}

/** A registry client with the user's credentials, mirrors and authorities. */
function openRegistryClient(
  settings: Settings,
  overrides: Pick<RegistryClientOptions, 'insecure'> = {},
): RegistryClient {
  const { dockerConfig, env, options } = settings
  const { mirrors, mirrorsOnly, caFiles, insecureRegistries: insecure } = options
  return new RegistryClient({ dockerConfig, env, mirrors, mirrorsOnly, caFiles, insecure, ...overrides })
}
