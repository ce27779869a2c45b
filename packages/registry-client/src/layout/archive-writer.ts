/**
 * Tar archives as a target: of an OCI layout, or one that `docker load` reads too.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { getSystemErrorMessage } from 'node:util'
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
import { checkNamedDigest, formatReference, parseReference, withDefaultTag } from '../model/reference.ts'
import { referrerOf } from '../model/referrer.ts'
import { fill } from './directory-writer.ts'
import { dockerName } from './docker-archive.ts'
import { readWhole } from './files.ts'
import { blobPath, usualManifestBytes } from './oci-layout.ts'
import { blockBytes, formatTarHeader, tarPadding } from './tar-header.ts'

/** What an {@link ImageArchive} is to be. */
export interface ImageArchiveOptions {
  /**
   * `oci`: an OCI layout; names are ref names. `docker`: also with the `manifest.json` that `docker load` reads, for
   * images of one platform; names are `repository:tag`.
   */
  readonly format: 'oci' | 'docker'
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
 * A new archive, written beside its place and moved there by {@link finish}; disposed before that, it is deleted.
 * Blobs may be pushed at the same time: each gets its place when its push begins, so the order of the calls decides
 * the bytes of the archive.
 */
export class ImageArchive implements Target, AsyncDisposable {
  readonly #path: string
  readonly #temporary: string
  readonly #handle: FileHandle
  readonly #format: 'oci' | 'docker'
  readonly #regions = new Map<Digest, Region>()
  readonly #listed: Descriptor[] = []
  readonly #docker = new Map<Digest, DockerEntry>()
  readonly #needs: Needs[] = []
  #end = 0
  #closed = false

  private constructor(path: string, temporary: string, handle: FileHandle, format: 'oci' | 'docker') {
    this.#path = path
    this.#temporary = temporary
    this.#handle = handle
    this.#format = format
  }

  /**
   * Begins an archive at a path; an existing file stays until the new one is finished.
   *
   * @throws RegistryError ARCHIVE_FAILED
   */
  static async create(path: string, { format }: ImageArchiveOptions): Promise<ImageArchive> {
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
    return new ImageArchive(path, temporary, await writing(path, open(temporary, 'wx+')), format)
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
    const header = formatTarHeader(blobPath(digest), size)
    await this.#writeAt(header, region.start - header.length)
    await fill(this.#handle, region.start, descriptor, openContent, options)
    region.written = true
    return 'uploaded'
  }

  async pushManifest(
    bytes: Uint8Array,
    mediaType: string,
    { companionOf = [], algorithm, signal, ...options }: PushManifestOptions = {},
  ): Promise<Descriptor> {
    signal?.throwIfAborted()
    const tags = [...(options.tags ?? []), ...companionOf.map(companionTag)]
    const document = parseManifest(bytes, mediaType)
    const digest = digestOf(bytes, algorithm)
    const descriptor: Descriptor = { mediaType: bareMediaType(mediaType), digest, size: bytes.length }
    if (this.#format === 'docker') {
      if (document.kind === 'index') {
        throw registryErrors.unsupported([this.#path, 'an archive for docker holds one platform per image: choose one'])
      }
      checkImage(document.manifest, descriptor, this.#path)
      const { config, layers } = document.manifest
      for (const tag of tags) checkNamedDigest(parseReference(tag), digest)
      const names = [...(this.#docker.get(descriptor.digest)?.RepoTags ?? []), ...tags.map(dockerName)]
      for (const entry of this.#docker.values())
        entry.RepoTags.splice(0, Infinity, ...entry.RepoTags.filter((name) => !names.includes(name)))
      this.#docker.set(descriptor.digest, {
        Config: blobPath(config.digest),
        RepoTags: [...new Set(names)],
        Layers: layers.map(({ digest }) => blobPath(digest)),
      })
    }
    this.#needs.push({ manifest: digest, digests: needed(document, this.#format) })
    await this.pushBlob(descriptor, async function* () {
      yield bytes
    })
    this.#list(descriptor, bytes, tags)
    return descriptor
  }

  /**
   * Writes the index, closes the archive and moves it to its place.
   *
   * @throws RegistryError LAYOUT_INVALID when a blob has not arrived whole, or not at all although a manifest names it
   */
  async finish(): Promise<void> {
    for (const [digest, { written }] of this.#regions) {
      if (!written) throw registryErrors.layoutInvalid([this.#path, `the push of ${digest} was not completed`])
    }
    for (const { manifest, digests } of this.#needs) {
      const missing = digests.find((digest) => !this.#regions.has(digest))
      if (missing !== undefined)
        throw registryErrors.layoutInvalid([this.#path, `${missing}, which ${manifest} names, was not pushed`])
    }
    for (const entry of this.#docker.values()) await this.#checkConfig(entry)
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: this.#listed }
    await this.#writeFile('oci-layout', '{"imageLayoutVersion":"1.0.0"}')
    await this.#writeFile('index.json', JSON.stringify(index))
    if (this.#format === 'docker') await this.#writeFile('manifest.json', JSON.stringify([...this.#docker.values()]))
    await this.#writeAt(Buffer.alloc(2 * blockBytes), this.#end)
    this.#closed = true
    await this.#handle.close()
    try {
      await writing(this.#path, rename(this.#temporary, this.#path))
    } catch (error) {
      await rm(this.#temporary, { force: true })
      throw error
    }
  }

  /** Gives up an archive that was not finished: nothing of it is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#handle.close()
    await rm(this.#temporary, { force: true })
  }

  /** docker pairs layers with the config's diff_ids. */
  async #checkConfig({ Config, Layers }: DockerEntry): Promise<void> {
    const [, algorithm, hex] = Config.split('/')
    const digest = parseDigest(`${algorithm}:${hex}`)
    const { start, size } = this.#regions.get(digest)!
    const bytes = await readWhole(this.#handle, start, size, usualManifestBytes, `${this.#path}: ${Config}`)
    const { diff_ids: ids } = parseImageConfig(bytes, digest).rootfs
    if (ids.length !== Layers.length)
      throw registryErrors.layoutInvalid([this.#path, `${Layers.length} layers where ${digest} has ${ids.length}`])
  }

  #list(descriptor: Descriptor, bytes: Uint8Array, tags: readonly string[]): void {
    const named = tags.map((tag) => ({ ...descriptor, annotations: this.#annotations(tag) }))
    const names = named.map(({ annotations }) => JSON.stringify(annotations))
    const others = this.#listed.filter(({ annotations }) => !names.includes(JSON.stringify(annotations)))
    this.#listed.splice(0, Infinity, ...others, ...named)
    if (tags.length === 0 && referrerOf(bytes, descriptor) !== undefined) this.#listed.push(descriptor)
  }

  #annotations(tag: string): Record<string, string> {
    if (this.#format === 'oci') return { 'org.opencontainers.image.ref.name': tag }
    const reference = withDefaultTag(parseReference(tag))
    return {
      'io.containerd.image.name': formatReference(reference),
      ...(reference.tag !== undefined && { 'org.opencontainers.image.ref.name': reference.tag }),
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
    await this.#writeAt(padded, this.#end)
    this.#end += padded.length
  }

  async #writeAt(bytes: Buffer, position: number): Promise<void> {
    for (let written = 0; written < bytes.length; ) {
      const call = this.#handle.write(bytes, written, bytes.length - written, position + written)
      const { bytesWritten } = await writing(this.#path, call)
      written += bytesWritten
    }
  }
}

/** What the system says of the temporary file, told of the archive that it is to become. */
async function writing<T>(path: string, call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    const { errno, message } = error as NodeJS.ErrnoException
    const why = errno === undefined ? message : getSystemErrorMessage(errno)
    throw registryErrors.archiveFailed([path, why], { cause: error })
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
