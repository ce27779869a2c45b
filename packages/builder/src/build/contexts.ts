/**
 * The contexts of a build: the main one and those of --build-context, found by name and opened when something reads them.
 */
import { join, resolve } from 'node:path'
import { familiarReference, OciLayout, type Platform, parseReference } from '@tsbuild/registry-client'
import { readDockerfile, readIgnoreFile, type TextFile } from '../context/dockerfile-file.ts'
import { type LocalTree, openLocalContext } from '../context/local.ts'
import type { FoundImage, ImageResolver } from '../image/resolve.ts'
import type { Store } from '../store/store.ts'
import { optionErrors, type Settings } from './settings.ts'
import { FileStatCache } from './stat-cache.ts'

/** What a name given with --build-context stands for. */
export type ContextSource =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'image'; readonly reference: string }
  | { readonly kind: 'layout'; readonly directory: string; readonly reference: string }
  | { readonly kind: 'tree'; readonly name: string }

type Task = <T>(title: string, work: () => Promise<T>) => Promise<T>

export class Contexts implements AsyncDisposable {
  readonly #settings: Settings
  readonly #store: Store
  readonly #task: Task
  readonly #named: ReadonlyMap<string, string>
  readonly #opened = new Map<string, Promise<LocalTree>>()
  #dockerfile: Promise<TextFile> | undefined

  constructor(settings: Settings, store: Store, task: Task) {
    this.#settings = settings
    this.#store = store
    this.#task = task
    this.#named = new Map(
      Object.entries(settings.options.buildContexts ?? {}).map(([name, value]) => [contextName(name), value]),
    )
  }

  /** The named context of a name or image reference. */
  find(name: string): ContextSource | undefined {
    const key = contextName(name)
    const value = this.#named.get(key)
    if (value === undefined) return undefined
    if (value.startsWith('docker-image://')) {
      const reference = value.slice('docker-image://'.length)
      return reference === 'scratch' ? { kind: 'scratch' } : { kind: 'image', reference }
    }
    if (value.startsWith('oci-layout://')) return layoutSource(value.slice('oci-layout://'.length))
    return { kind: 'tree', name: key }
  }

  /** Opens a tree by its name, once; `context` is the main context. */
  open(name: string): Promise<LocalTree> {
    let tree = this.#opened.get(name)
    if (tree === undefined) {
      tree = this.#task(
        name === 'context' ? '[internal] load build context' : `[context ${name}] load from client`,
        () => this.#open(name),
      )
      tree.catch(() => undefined)
      this.#opened.set(name, tree)
    }
    return tree
  }

  /** Opens an image of an OCI layout directory. */
  async openLayout(
    { directory, reference }: ContextSource & { kind: 'layout' },
    platform: Platform,
    resolver: ImageResolver,
  ): Promise<FoundImage> {
    const layout = await OciLayout.open(directory)
    const name = `oci-layout://${directory}${reference.startsWith('sha256:') ? '@' : ':'}${reference}`
    return await resolver.open(name, await layout.resolve(reference), platform, layout)
  }

  /** When the sources of a context were made, seconds; a directory has no such time. */
  async time(_name: string): Promise<number | undefined> {
    return undefined
  }

  /** The ignore rules of the main context. */
  async ignored(): Promise<LocalTree['ignore']> {
    return (await this.open('context')).ignore
  }

  async statCache(): Promise<FileStatCache> {
    return await FileStatCache.open(this.#store.root, this.mainDirectory())
  }

  /** The Dockerfile, read once: from the caller, a file beside or in the main context. */
  dockerfile(): Promise<TextFile> {
    this.#dockerfile ??= this.#readDockerfile()
    return this.#dockerfile
  }

  async #readDockerfile(): Promise<TextFile> {
    const { dockerfile, dockerfileText } = this.#settings.options
    if (dockerfileText !== undefined) return { name: 'Dockerfile', text: dockerfileText, path: undefined }
    return readDockerfile(dockerfile === undefined ? join(this.mainDirectory(), 'Dockerfile') : resolve(dockerfile))
  }

  mainDirectory(): string {
    return resolve(this.#settings.options.context ?? '.')
  }

  async #open(name: string): Promise<LocalTree> {
    const directory = name === 'context' ? this.mainDirectory() : resolve(this.#named.get(name)!)
    const ignore = readIgnoreFile(directory, name === 'context' ? (await this.dockerfile()).path : undefined)
    return openLocalContext(directory, { ignore: ignore?.text, ignoreName: ignore?.name })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#opened.values())
  }
}

/** `DIR[:NAME][@DIGEST]`. */
function layoutSource(text: string): ContextSource {
  const match = /^(.*?)(?::([\w][\w.-]{0,127}))?(?:@(sha(?:256|384|512):[0-9a-f]+))?$/.exec(text)
  const [, directory = '', name, digest] = match ?? []
  if (directory === '') throw optionErrors.optionInvalid([`invalid OCI layout ${JSON.stringify(text)}`])
  return { kind: 'layout', directory: resolve(directory), reference: digest ?? name ?? 'latest' }
}

/** Names are compared as images are: `docker.io/library/alpine:latest` is `alpine`. */
function contextName(name: string): string {
  try {
    return familiarReference(parseReference(name)).replace(/:latest$/, '')
  } catch {
    return name.toLowerCase()
  }
}
