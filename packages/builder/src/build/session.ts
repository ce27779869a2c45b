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
  type Repository,
} from '@tsbuild/registry-client'
import { type FoundImage, ImageResolver } from '../image/resolve.ts'
import type { BuildWarning, ProgressEvent, ProgressListener } from '../progress.ts'
import type { Store } from '../store/store.ts'
import { Contexts } from './contexts.ts'
import type { Settings } from './settings.ts'
import { openState } from './state.ts'

export class Session implements AsyncDisposable {
  readonly settings: Settings
  readonly store: Store
  readonly signal: AbortSignal
  readonly images: ImageResolver
  readonly contexts: Contexts
  readonly warnings: BuildWarning[] = []
  readonly #client: RegistryClient
  readonly #resources: AsyncDisposableStack
  readonly #listener: ProgressListener | undefined
  readonly #resolved = new Map<string, Promise<FoundImage>>()
  #ids = 0

  private constructor(settings: Settings, store: Store, client: RegistryClient, resources: AsyncDisposableStack) {
    this.settings = settings
    this.store = store
    this.signal = settings.options.signal ?? new AbortController().signal
    this.#client = client
    this.#resources = resources
    this.#listener = settings.options.onProgress
    this.images = new ImageResolver({
      store,
      repository: (reference) => this.repository(reference),
      pull: settings.options.pull === true,
      signal: this.signal,
      onOffline: (reference, problem) => this.warn({ rule: '', message: `using the stored ${reference}: ${problem}` }),
    })
    this.contexts = resources.use(new Contexts(settings, store, this.signal, (title, work) => this.task(title, work)))
  }

  /** Opens the store and what a call needs at least. The caller disposes the session. */
  static async open(settings: Settings): Promise<Session> {
    const resources = new AsyncDisposableStack()
    try {
      const store = await openState(settings.root)
      resources.use(await store.lease(Date.now()))
      return new Session(settings, store, resources.use(openRegistryClient(settings)), resources)
    } catch (error) {
      await resources.disposeAsync()
      throw error
    }
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

  repository(reference: Reference | string): Repository {
    return this.#client.repository(typeof reference === 'string' ? reference : formatReference(reference))
  }

  emit(event: ProgressEvent): void {
    this.#listener?.(event)
  }

  nextId(): string {
    this.#ids++
    return String(this.#ids)
  }

  warn(warning: BuildWarning): void {
    this.warnings.push(warning)
    this.emit({ type: 'warning', warning, time: Date.now() })
  }

  /** Runs one piece of work as a line of progress. */
  async task<T>(
    name: string,
    work: (report: (item: string, current: number, total: number) => void) => Promise<T>,
  ): Promise<T> {
    const id = this.nextId()
    this.emit({ type: 'started', vertex: { id, name }, time: Date.now() })
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}

/** A registry client with the user's credentials and mirrors. */
export function openRegistryClient(settings: Settings): RegistryClient {
  const { mirrors } = settings.options
  return new RegistryClient({ dockerConfig: settings.dockerConfig, env: settings.env, ...(mirrors && { mirrors }) })
}
