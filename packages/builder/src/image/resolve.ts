/**
 * Finds images by reference: the store's own names first, then the registry (or an OCI layout). Manifests and configs
 * are kept in the content store by digest; layers are left where they are until somebody needs them.
 */
import {
  type Descriptor,
  formatPlatform,
  formatReference,
  matchPlatform,
  type Platform,
  parseImageConfig,
  parseManifest,
  parseReference,
  type Reference,
  RegistryError,
  type Source,
  withDefaultTag,
} from '@tsbuild/registry-client'
import { BuildError, defineError } from '../errors.ts'
import type { ImageConfig } from '../graph/image-config.ts'
import type { Layer } from '../graph/layer.ts'
import type { Location } from '../source.ts'
import { DOCUMENT_LIMIT } from '../store/blobs.ts'
import type { ContentStore } from '../store/content-store.ts'
import type { Store } from '../store/store.ts'

/** Indexes inside indexes that are followed. */
const MAX_INDEX_DEPTH = 4
/** Errors that say nothing about the image, only that the registry cannot be asked now. */
const OFFLINE = new Set(['NETWORK', 'TIMEOUT', 'UNAVAILABLE', 'RATE_LIMITED'])

export const imageErrors = {
  imageNotFound: defineError({
    code: 'IMAGE_NOT_FOUND',
    doc: 'An image does not exist in the registry, or the registry hides it from these credentials.',
    message: (reference: string) => `failed to resolve source metadata for ${reference}: ${reference}: not found`,
    hint: 'check the name and the tag; for a private image log in with `tsbuild login`',
  }),
  nameInvalid: defineError({
    code: 'IMAGE_NAME_INVALID',
    doc: 'The name of an image is not of the form [HOST[:PORT]/]PATH[:TAG][@DIGEST], in lower case.',
    message: (name: string, problem: string) => `failed to parse stage name ${JSON.stringify(name)}: ${problem}`,
  }),
  imageUnavailable: defineError({
    code: 'IMAGE_UNAVAILABLE',
    doc: 'The registry could not be reached or refused to answer.',
    message: (reference: string, problem: string) => `failed to resolve source metadata for ${reference}: ${problem}`,
  }),
  platformMissing: defineError({
    code: 'IMAGE_PLATFORM_MISSING',
    doc: 'An image has no variant for the wanted platform.',
    message: (reference: string, platform: string, has: string) =>
      `failed to resolve source metadata for ${reference}: no match for platform in manifest: not found (wanted ${platform}, the image has ${has})`,
    hint: 'build for another --platform, or use an image that supports this one',
  }),
  imageInvalid: defineError({
    code: 'IMAGE_INVALID',
    doc: 'The documents of an image contradict each other or break the image-spec.',
    message: (reference: string, problem: string) => `${reference} is not a usable image: ${problem}`,
  }),
}

/** An image of one platform with the place its blobs come from. */
export interface FoundImage {
  /** `docker.io/library/debian:12@sha256:…` */
  readonly ref: string
  readonly manifest: Descriptor
  readonly config: ImageConfig
  readonly layers: readonly Layer[]
  readonly source: Pick<Source, 'openBlob'>
  /** `registry/repository` for cross-repository mounts; undefined for images that are in no registry. */
  readonly repository: string | undefined
}

export interface ResolverOptions {
  readonly store: Store
  /** Opens the repository of a reference. */
  readonly repository: (reference: Reference) => Source
  /** Ask the registry also for names that the store has. */
  readonly pull: boolean
  readonly signal: AbortSignal
  /** Tells that an image of the store was taken because its registry could not be reached. */
  readonly onOffline?: (reference: string, problem: string) => void
}

export class ImageResolver {
  readonly #options: ResolverOptions

  constructor(options: ResolverOptions) {
    this.#options = options
  }

  /** Resolves a reference to the image of a platform. */
  async resolve(text: string, platform: Platform): Promise<FoundImage> {
    const { store, repository, pull, signal, onOffline } = this.#options
    const reference = withDefaultTag(parse(text))
    const name = formatReference(reference)
    const local = pull ? undefined : await store.images.resolve(name)
    if (local) {
      // Of an index that was pulled by its digest the store may have only some platforms; the registry has the others.
      const source = reference.digest === undefined ? storeSource(store.blobs) : repository(reference)
      return await this.open(name, local, platform, source)
    }
    const source = repository(reference)
    const home = `${reference.registry}/${reference.repository}`
    try {
      const descriptor = await source.resolve(reference.digest ?? reference.tag!, { signal })
      await store.records.put('resolved', name, descriptor)
      return await this.#open(name, descriptor, platform, source, home)
    } catch (error) {
      const failure = explain(name, error)
      if (pull || !(error instanceof RegistryError && OFFLINE.has(error.code))) throw failure
      const known = (await store.records.get<Descriptor>('resolved', name)) ?? (await this.#knownByTag(reference))
      if (!known || !(await store.blobs.has(known.digest))) throw failure
      onOffline?.(name, failure.message)
      return await this.#open(name, known, platform, source, home).catch((problem) => {
        throw explain(name, problem)
      })
    }
  }

  /** Of NAME:TAG@DIGEST, what the tag was when it was looked up without the digest. */
  async #knownByTag({ digest, ...tagged }: Reference): Promise<Descriptor | undefined> {
    if (digest === undefined) return undefined
    const known = await this.#options.store.records.get<Descriptor>('resolved', formatReference(tagged))
    return known?.digest === digest ? known : undefined
  }

  /** Opens an image whose manifest or index is known, wherever it is. */
  async open(name: string, descriptor: Descriptor, platform: Platform, source: Source): Promise<FoundImage> {
    try {
      return await this.#open(name, descriptor, platform, source, undefined)
    } catch (error) {
      throw explain(name, error)
    }
  }

  async #open(
    name: string,
    top: Descriptor,
    platform: Platform,
    source: Source,
    repository: string | undefined,
  ): Promise<FoundImage> {
    let descriptor = top
    let bytes = await this.#document(descriptor, source)
    let document = parseManifest(bytes, descriptor.mediaType, descriptor.digest)
    for (let depth = 0; document.kind === 'index'; depth++) {
      if (depth === MAX_INDEX_DEPTH)
        throw imageErrors.imageInvalid([name, `its indexes are nested more than ${MAX_INDEX_DEPTH} deep`])
      const chosen = matchPlatform(document.index, platform)
      if (!chosen) {
        const has = document.index.manifests.flatMap((m) =>
          m.platform && m.platform.os !== 'unknown' ? [formatPlatform(m.platform)] : [],
        )
        throw imageErrors.platformMissing([name, formatPlatform(platform), has.join(', ') || 'none'])
      }
      descriptor = chosen
      bytes = await this.#document(descriptor, source)
      document = parseManifest(bytes, descriptor.mediaType, descriptor.digest)
    }
    const { manifest } = document
    // Those that are in the store stay there, also when the image's name is taken away.
    await this.#options.store.keep({ blobs: manifest.layers.map(({ digest }) => digest) })
    const config = parseImageConfig(
      await this.#document(manifest.config, source),
      manifest.config.digest,
    ) as ImageConfig
    const diffIDs = config.rootfs.diff_ids
    if (diffIDs.length !== manifest.layers.length)
      throw imageErrors.imageInvalid([name, `it has ${manifest.layers.length} layers but ${diffIDs.length} diff_ids`])
    return {
      ref: name.includes('@') ? name : `${name}@${top.digest}`,
      manifest: { mediaType: document.mediaType, digest: descriptor.digest, size: bytes.length },
      config,
      layers: manifest.layers.map((layer, i) => ({ descriptor: layer, diffID: diffIDs[i]! })),
      source,
      repository,
    }
  }

  /** A manifest, index or config: from the store, else from the source into the store. */
  async #document(descriptor: Descriptor, source: Source): Promise<Buffer> {
    const { blobs } = this.#options.store
    const { signal } = this.#options
    if (await blobs.has(descriptor.digest)) return await blobs.read(descriptor.digest)
    const isManifest = /manifest|index/.test(descriptor.mediaType)
    if (isManifest) {
      const { bytes } = await source.fetchManifest(descriptor, { signal })
      await blobs.put(bytes, { digest: descriptor.digest, size: bytes.length }, signal)
      return bytes
    }
    if (descriptor.size > DOCUMENT_LIMIT)
      throw imageErrors.imageInvalid([descriptor.digest, `its config is ${descriptor.size} bytes long`])
    await blobs.put(
      source.openBlob(descriptor, { signal }),
      { digest: descriptor.digest, size: descriptor.size },
      signal,
    )
    return await blobs.read(descriptor.digest)
  }
}

/** The store itself as a source. */
export function storeSource(blobs: ContentStore): Source {
  return {
    resolve: () => Promise.reject(new Error('the store is asked for descriptors by name')),
    fetchManifest: async (reference) => {
      if (typeof reference === 'string') throw new Error('the store is asked for manifests by descriptor')
      return { descriptor: reference, bytes: await blobs.read(reference.digest) }
    },
    openBlob: (descriptor, options) => blobs.open(descriptor.digest, options?.signal),
  }
}

/** @throws BuildError IMAGE_NAME_INVALID */
export function checkName(reference: string, at: Location | undefined): void {
  try {
    parse(reference)
  } catch (error) {
    throw error instanceof BuildError ? error.with({ at }) : error
  }
}

function parse(text: string): Reference {
  try {
    return parseReference(text)
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error
    throw imageErrors.nameInvalid([text, error.message.replace(`: ${JSON.stringify(text)}`, '')], {
      cause: error,
      hint: error.hint,
    })
  }
}

function explain(name: string, error: unknown): BuildError {
  if (error instanceof BuildError) return error
  if (!(error instanceof RegistryError)) throw error
  if (error.code === 'NOT_FOUND') return imageErrors.imageNotFound([name], { cause: error })
  const invalid = [
    'DIGEST_MISMATCH',
    'SIZE_MISMATCH',
    'MANIFEST_INVALID',
    'MANIFEST_TOO_LARGE',
    'MEDIA_TYPE_UNSUPPORTED',
  ]
  if (invalid.includes(error.code))
    return imageErrors.imageInvalid([name, error.message], { cause: error, hint: error.hint })
  return imageErrors.imageUnavailable([name, error.message], { cause: error, hint: error.hint })
}
