/**
 * The contexts of a build: the main one and those of --build-context, found by name and opened when something reads them.
 */
import { isAbsolute, join, resolve } from 'node:path'
import { addAbortSignal, type Readable } from 'node:stream'
import { familiarReference, OciLayout, type Platform, parseReference } from '@tsbuild/registry-client'
import {
  lockNameOf,
  readDockerfile,
  readFetchedDockerfile,
  readIgnoreFile,
  readLockFile,
  type TextFile,
} from '../context/dockerfile-file.ts'
import type { GitAccess } from '../context/git.ts'
import type { Downloader } from '../context/http.ts'
import { type LocalTree, openLocalContext, requireDirectory } from '../context/local.ts'
import { fetchContext, isRemoteContext, openRemoteContext, type RemoteContext } from '../context/remote.ts'
import type { FoundImage, ImageResolver } from '../image/resolve.ts'
import { redactUrl } from '../redact.ts'
import { readArchive } from '../steps/archive.ts'
import type { Store } from '../store/store.ts'
import { contextPin, type Pins } from './pins.ts'
import { optionErrors, type Settings } from './settings.ts'
import { FileStatCache } from './stat-cache.ts'

/** Name of the main context. */
const MAIN = 'context'

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
  readonly #client: Downloader
  readonly #git: GitAccess
  readonly #signal: AbortSignal
  readonly #task: Task
  readonly #named: ReadonlyMap<string, string>
  readonly #trees = new Map<string, Promise<LocalTree>>()
  readonly #fetched = new Map<string, Promise<RemoteContext>>()
  readonly #resources = new AsyncDisposableStack()
  #dockerfile: Promise<TextFile> | undefined
  /** What a lock file says of named contexts. */
  pins: Pins | undefined

  constructor(settings: Settings, store: Store, client: Downloader, git: GitAccess, signal: AbortSignal, task: Task) {
    this.#settings = settings
    this.#store = store
    this.#client = client
    this.#git = git
    this.#signal = signal
    this.#task = task
    const named = Object.entries(settings.options.buildContexts ?? {})
    this.#named = new Map(named.map(([name, value]) => [contextName(name), value]))
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

  /** Opens a tree by its name, once; {@link MAIN} is the main context. */
  open(name: string): Promise<LocalTree> {
    const title = name === MAIN ? '[internal] load build context' : `[context ${name}] load from client`
    return once(this.#trees, name, () => this.#task(title, () => this.#open(name)))
  }

  /** Opens an image of an OCI layout directory. */
  async openLayout(
    source: ContextSource & { kind: 'layout' },
    platform: Platform,
    resolver: ImageResolver,
  ): Promise<FoundImage> {
    const { directory, reference } = source
    const layout = await OciLayout.open(directory)
    const name = `oci-layout://${directory}${reference.includes(':') ? '@' : ':'}${reference}`
    return await resolver.open(name, await layout.resolve(reference), platform, layout)
  }

  /** When the sources of a context were made, seconds: of a commit, an archive, a download; a directory has no such time. */
  async time(name: string): Promise<number | undefined> {
    const location = this.#location(name)
    return isRemoteContext(location) ? (await this.#fetch(name, location)).time : undefined
  }

  /** What a lock file says of a named context. @throws BuildError when it must say something and does not */
  pin(name: string): string | undefined {
    return name === MAIN || this.pins === undefined ? undefined : contextPin(this.#location(name), this.pins)
  }

  /** The ignore rules of the main context. */
  async ignored(): Promise<LocalTree['ignore']> {
    return (await this.open(MAIN)).ignore
  }

  /** Digests of files of the main context that earlier builds have read. */
  async statCache(): Promise<FileStatCache> {
    return await FileStatCache.open(this.#store.root, resolve(this.#location(MAIN)))
  }

  /** The Dockerfile, read once: from the caller, standard input, a file, or the context that was fetched. */
  dockerfile(): Promise<TextFile> {
    this.#dockerfile ??= this.#readDockerfile()
    return this.#dockerfile
  }

  /**
   * The lock file beside the Dockerfile, with its text where it is there; undefined for a Dockerfile that is no file.
   *
   * @param named path of another one
   */
  async lockFile(named: string | undefined): Promise<Pick<TextFile, 'path'> & { readonly text: string | undefined }> {
    if (named !== undefined) return { path: named, text: readLockFile(named)?.text }
    const { path } = await this.dockerfile()
    if (path === undefined) return { path, text: undefined }
    const lock = lockNameOf(path)
    const root = (await this.#fetched.get(MAIN))?.directory
    const fetched = root !== undefined && path.startsWith(`${root}/`)
    return { path: fetched ? undefined : lock, text: readLockFile(lock, fetched ? root : undefined)?.text }
  }

  async #readDockerfile(): Promise<TextFile> {
    const { dockerfile, dockerfileText, stdin } = this.#settings.options
    if (dockerfileText !== undefined) return { name: 'Dockerfile', text: dockerfileText, path: undefined }
    const location = this.#location(MAIN)
    if (dockerfile === '-') {
      if (location === '-')
        throw optionErrors.optionInvalid(["invalid argument: can't use stdin for both build context and dockerfile"])
      return { name: 'Dockerfile', text: await readText(stdin, this.#signal), path: undefined }
    }
    if (!isRemoteContext(location)) {
      // Said first: without the directory the Dockerfile in it is missing too.
      requireDirectory(location)
      return readDockerfile(dockerfile === undefined ? join(location, 'Dockerfile') : resolve(dockerfile))
    }
    // A context from elsewhere has its own paths; an absolute one can only mean a file of this machine.
    if (dockerfile !== undefined && isAbsolute(dockerfile)) return readDockerfile(dockerfile)
    const fetched = await this.#fetch(MAIN, location)
    if (fetched.dockerfile !== undefined && dockerfile !== undefined)
      throw optionErrors.optionInvalid(['ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles'])
    if (fetched.dockerfile !== undefined) return { name: 'Dockerfile', text: fetched.dockerfile, path: undefined }
    return readFetchedDockerfile(fetched.directory, dockerfile ?? 'Dockerfile')
  }

  async #open(name: string): Promise<LocalTree> {
    const location = this.#location(name)
    if (isRemoteContext(location)) return openRemoteContext(await this.#fetch(name, location))
    const directory = resolve(location)
    const ignore = readIgnoreFile(directory, name === MAIN ? (await this.dockerfile()).path : undefined)
    return openLocalContext(directory, { ignore: ignore?.text, ignoreName: ignore?.name, without: this.#store.root })
  }

  #fetch(name: string, location: string): Promise<RemoteContext> {
    return once(this.#fetched, name, () =>
      this.#task(`[internal] load remote build context ${redactUrl(location)}`, async () => {
        const { options, env, buildArgs } = this.#settings
        const { path } = this.#resources.use(await this.#store.blobs.temporary('context'))
        const stdin = options.stdin as AsyncIterable<Uint8Array> | undefined
        return await fetchContext(location, {
          directory: path,
          stdin,
          readArchive,
          env,
          client: this.#client,
          access: this.#git,
          // Any value counts, as in the reference.
          keepGitDir: Boolean(buildArgs.get('BUILDKIT_CONTEXT_KEEP_GIT_DIR')),
          pin: this.pin(name),
          signal: this.#signal,
        })
      }),
    )
  }

  #location(name: string): string {
    return (name === MAIN ? this.#settings.options.context : this.#named.get(name)) ?? '.'
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([...this.#trees.values(), ...this.#fetched.values()])
    await this.#resources.disposeAsync()
  }
}

function once<T>(table: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  let found = table.get(key)
  if (found === undefined) {
    found = work()
    // Whoever waits for it gets the error.
    found.catch(() => undefined)
    table.set(key, found)
  }
  return found
}

/** Longer texts are no Dockerfiles. */
const MAX_TEXT = 64 * 1024 * 1024

async function readText(stdin: NodeJS.ReadableStream | undefined, signal: AbortSignal): Promise<string> {
  if (stdin === undefined)
    throw optionErrors.optionInvalid(['the Dockerfile is to be read from stdin, but there is none'])
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of addAbortSignal(signal, stdin as Readable)) {
    const bytes = Buffer.from(chunk as Uint8Array)
    size += bytes.length
    if (size > MAX_TEXT) throw optionErrors.optionInvalid(['the Dockerfile on stdin is larger than 64 MiB'])
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
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
