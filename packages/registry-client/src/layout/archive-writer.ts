/**
 * Tar archives as a target: of an OCI layout, or one that `docker load` reads too.
 */
import { companionTag } from '../model/companions.ts'
import type { BlobPushResult, OpenContent, PushBlobOptions, PushManifestOptions, Target } from '../model/content.ts'
import {
  type Descriptor,
  type Manifest,
  type ManifestDocument,
  parseImageConfig,
  parseManifest,
} from '../model/descriptor.ts'
import { type Digest, digestOf, parseDigest } from '../model/digest.ts'
import { registryErrors } from '../model/errors.ts'
import { bareMediaType, isConfigType, isForeignLayerType, isLayerType, mediaTypes } from '../model/media-types.ts'
import { checkNamedDigest, parseReference } from '../model/reference.ts'
import { referrerOf } from '../model/referrer.ts'
import { type ArchiveOutput, FileOutput, StreamOutput } from './archive-output.ts'
import { dockerName } from './docker-archive.ts'
import { type EntryNames, withEntries } from './entries.ts'
import { fill } from './files.ts'
import { blobPath, usualManifestBytes } from './oci-layout.ts'
import { blockBytes, formatTarHeader, tarPadding } from './tar-header.ts'

/** What an {@link ImageArchive} is to be. */
export interface ImageArchiveOptions {
  /**
   * `oci`: an OCI layout; names are ref names. `docker`: also with the `manifest.json` that `docker load` reads, for
   * images of one platform; names are `repository:tag`.
   */
  readonly format: 'oci' | 'docker'
  /** What names in an archive of format `oci` are; default `ref`. */
  readonly names?: EntryNames | undefined
  /** In an archive for docker, whether an index is taken, whose names all its images then have. Default false: an error. */
  readonly indexes?: boolean | undefined
}

/** Where an entry's content is in the file. */
interface Region {
  readonly start: number
  readonly size: number
  written: boolean
}

interface DockerEntry {
  readonly Config: string
  readonly RepoTags: string[]
  readonly Layers: readonly string[]
}

/** What a manifest needs to be in the archive. */
interface Needs {
  readonly manifest: Digest
  readonly digests: readonly Digest[]
}

/**
 * A new archive: a file that is written beside its place and moved there by {@link finish}, or a stream. Disposed before
 * that, it is given up, and the file deleted. Blobs may be pushed at the same time: each gets its place when its push
 * begins, so the order of the calls decides the bytes of the archive, which are the same in a file and in a stream. In a
 * stream one that has failed to arrive cannot be pushed again.
 */
export class ImageArchive implements Target, AsyncDisposable {
  readonly #output: ArchiveOutput
  readonly #format: 'oci' | 'docker'
  readonly #names: EntryNames
  readonly #indexes: boolean
  readonly #regions = new Map<Digest, Region>()
  /** Content of the configs that have passed: what docker needs of them is checked in the end. */
  readonly #configs = new Map<Digest, Buffer>()
  #listed: Descriptor[] = []
  readonly #docker = new Map<Digest, DockerEntry>()
  readonly #needs: Needs[] = []
  #end = 0
  #closed = false

  private constructor(output: ArchiveOutput, { format, names = 'ref', indexes = false }: ImageArchiveOptions) {
    this.#indexes = indexes
    this.#output = output
    this.#format = format
    this.#names = format === 'docker' ? 'image' : names
  }

  /**
   * Begins an archive at a path, where an existing file stays until the new one is finished, or in a stream, which is not
   * ended.
   *
   * @throws RegistryError ARCHIVE_FAILED
   */
  static async create(place: string | NodeJS.WritableStream, options: ImageArchiveOptions): Promise<ImageArchive> {
    const output = typeof place === 'string' ? await FileOutput.open(place) : new StreamOutput(place)
    return new ImageArchive(output, options)
  }

  async hasBlob({ digest }: Pick<Descriptor, 'digest'>): Promise<boolean> {
    return this.#regions.get(digest)?.written === true
  }

  async pushBlob(
    descriptor: Descriptor,
    openContent: OpenContent,
    options: PushBlobOptions = {},
  ): Promise<BlobPushResult> {
    const { digest, size } = descriptor
    const known = this.#regions.get(digest)
    if (known?.written === true) return 'exists'
    const region = known ?? this.#reserve(digest, size)
    const { signal } = options
    const write = (chunk: Uint8Array, position: number) => this.#output.write(chunk, position, signal)
    const header = formatTarHeader(blobPath(digest), size)
    try {
      await write(header, region.start - header.length)
      await fill(write, region.start, descriptor, this.#noting(descriptor, openContent), options)
      await write(Buffer.alloc(tarPadding(size)), region.start + size)
    } catch (error) {
      this.#output.giveUp(error)
      throw error
    }
    region.written = true
    return 'uploaded'
  }

  async pushManifest(
    bytes: Uint8Array,
    mediaType: string,
    { companionOf = [], algorithm, annotations, signal, ...options }: PushManifestOptions = {},
  ): Promise<Descriptor> {
    signal?.throwIfAborted()
    const tags = [...(options.tags ?? []), ...companionOf.map(companionTag)]
    const document = parseManifest(bytes, mediaType)
    const digest = digestOf(bytes, algorithm)
    const descriptor: Descriptor = { mediaType: bareMediaType(mediaType), digest, size: bytes.length }
    if (this.#format === 'docker') {
      for (const tag of tags) checkNamedDigest(parseReference(tag), digest)
      this.#nameForDocker(this.#dockerEntries(document, descriptor), tags.map(dockerName))
    }
    this.#needs.push({ manifest: digest, digests: needed(document, this.#format) })
    const content = async function* () {
      yield bytes
    }
    await this.pushBlob(descriptor, content, { signal })
    if (tags.length > 0 || annotations !== undefined || referrerOf(bytes, descriptor) !== undefined)
      this.#listed = withEntries(this.#listed, descriptor, tags, { names: this.#names, annotations })
    return descriptor
  }

  /**
   * Writes the index, closes the archive and moves it to its place.
   *
   * @throws RegistryError LAYOUT_INVALID when a blob has not arrived whole, or not at all although a manifest names it
   */
  async finish(): Promise<void> {
    const invalid = (why: string) => registryErrors.layoutInvalid([this.#output.name, why])
    for (const [digest, { written }] of this.#regions)
      if (!written) throw invalid(`the push of ${digest} was not completed`)
    for (const { manifest, digests } of this.#needs) {
      const missing = digests.find((digest) => !this.#regions.has(digest))
      if (missing !== undefined) throw invalid(`${missing}, which ${manifest} names, was not pushed`)
    }
    for (const { Config, Layers } of this.#docker.values()) {
      // docker pairs layers with the config's diff_ids.
      const [, algorithm, hex] = Config.split('/')
      const digest = parseDigest(`${algorithm}:${hex}`)
      const { diff_ids: ids } = parseImageConfig(this.#configs.get(digest) ?? Buffer.alloc(0), digest).rootfs
      if (ids.length !== Layers.length) throw invalid(`${Layers.length} layers where ${digest} has ${ids.length}`)
    }
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: this.#listed }
    await this.#writeFile('oci-layout', '{"imageLayoutVersion":"1.0.0"}')
    await this.#writeFile('index.json', JSON.stringify(index))
    if (this.#format === 'docker') await this.#writeFile('manifest.json', JSON.stringify([...this.#docker.values()]))
    await this.#output.write(Buffer.alloc(2 * blockBytes), this.#end)
    this.#closed = true
    await this.#output.finish()
  }

  /** Gives up an archive that was not finished. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#output.discard()
  }

  /** The entries of `manifest.json` that a manifest or index stands for. */
  #dockerEntries(document: ManifestDocument, descriptor: Descriptor): DockerEntry[] {
    if (document.kind === 'index') {
      if (this.#indexes) return document.index.manifests.flatMap(({ digest }) => this.#docker.get(digest) ?? [])
      const why = 'an archive for docker holds one platform per image: choose one'
      throw registryErrors.unsupported([this.#output.name, why])
    }
    checkImage(document.manifest, descriptor, this.#output.name)
    const { config, layers } = document.manifest
    const entry = this.#docker.get(descriptor.digest) ?? {
      Config: blobPath(config.digest),
      RepoTags: [],
      Layers: layers.map(({ digest }) => blobPath(digest)),
    }
    this.#docker.set(descriptor.digest, entry)
    return [entry]
  }

  /** Gives entries names, which are taken away from others. */
  #nameForDocker(entries: readonly DockerEntry[], names: readonly string[]): void {
    for (const { RepoTags } of this.#docker.values())
      RepoTags.splice(0, Infinity, ...RepoTags.filter((name) => !names.includes(name)))
    for (const { RepoTags } of entries) RepoTags.push(...new Set(names))
  }

  /** The content, which is remembered if it is a config: what was written to a stream cannot be read again. */
  #noting({ mediaType, size, digest }: Descriptor, openContent: OpenContent): OpenContent {
    if (this.#format !== 'docker' || !isConfigType(mediaType) || size > usualManifestBytes) return openContent
    const configs = this.#configs
    return async function* (offset) {
      const chunks: Buffer[] = []
      for await (const chunk of openContent(offset)) {
        chunks.push(Buffer.from(chunk))
        yield chunk
      }
      configs.set(digest, Buffer.concat(chunks))
    }
  }

  #reserve(digest: Digest, size: number): Region {
    const header = formatTarHeader(blobPath(digest), size).length
    const region: Region = { start: this.#end + header, size, written: false }
    this.#regions.set(digest, region)
    this.#end = region.start + size + tarPadding(size)
    return region
  }

  async #writeFile(name: string, text: string): Promise<void> {
    const bytes = Buffer.from(text)
    const padded = Buffer.concat([formatTarHeader(name, bytes.length), bytes, Buffer.alloc(tarPadding(bytes.length))])
    await this.#output.write(padded, this.#end)
    this.#end += padded.length
  }
}

/** What docker can load: an image with all its layers. @throws RegistryError UNSUPPORTED */
function checkImage({ config, layers, subject }: Manifest, { digest }: Descriptor, path: string): void {
  const refuse = (why: string, hint?: string) => registryErrors.unsupported([path, `${digest} ${why}`], { hint })
  const only = 'an archive for docker holds images only'
  if (subject) throw refuse(`refers to ${subject.digest}: ${only}`, 'Copy it without what refers to it.')
  if (!isConfigType(config.mediaType)) throw refuse(`is an artifact (${config.mediaType}): ${only}`)
  for (const { mediaType } of layers) if (!isLayerType(mediaType)) throw refuse(`has a ${mediaType}: ${only}`)
}

/** Foreign layers may stay away from layouts, but docker load has no other place to look for them. */
function needed(document: ManifestDocument, format: 'oci' | 'docker'): Digest[] {
  if (document.kind === 'index') return document.index.manifests.map(({ digest }) => digest)
  const { config, layers } = document.manifest
  const elsewhere = ({ mediaType, urls }: Descriptor) =>
    format === 'oci' && isForeignLayerType(mediaType) && urls?.length
  return [config, ...layers].filter((blob) => !elsewhere(blob)).map(({ digest }) => digest)
}
