/**
 * OCI image layouts (image-spec "OCI Image Layout"): a directory as source and target, a tar of one as source.
 */
import { stat } from 'node:fs/promises'
import { companionsByTag, companionTag, isCompanionTag } from '../model/companions.ts'
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
import { type Descriptor, type Index, parseManifest } from '../model/descriptor.ts'
import { type Digest, digestAlgorithm, digestHex, digestOf, isDigest, parseDigest, verified } from '../model/digest.ts'
import { isRegistryError, registryErrors } from '../model/errors.ts'
import { bareMediaType, isIndexType, isManifestType, mediaTypes } from '../model/media-types.ts'
import { referrerOf } from '../model/referrer.ts'
import { object, parseDocument, text } from '../model/schema.ts'
import { selfVerifying } from '../model/verified-stream.ts'
import { DirectoryWriter } from './directory-writer.ts'
import { type EntryNames, isNamed, nameOf, refNameKey, withEntries } from './entries.ts'
import { DirectoryFiles, type Files } from './files.ts'
import { TarFiles } from './tar-files.ts'

/** How a layout or archive is read. */
export interface LayoutOptions extends CallOptions {
  /** Bytes of a manifest, index, config or other small document. Default 4 MiB. */
  readonly manifestBytes?: number | undefined
  /** What names that are given to images are; default `ref`. */
  readonly names?: EntryNames | undefined
  /** For a layout that is created: in a directory, too, that holds something else. Default false: an error. */
  readonly shared?: boolean | undefined
}

/** The default of {@link LayoutOptions.manifestBytes}. */
export const usualManifestBytes = 4 << 20
const markerSchema = object<{ readonly imageLayoutVersion: string }>({ imageLayoutVersion: text })

/** Path of a blob within a layout. */
export function blobPath(digest: Digest): string {
  return `blobs/${digestAlgorithm(parseDigest(digest))}/${digestHex(digest)}`
}

/** An OCI image layout. References are ref names (tags) and digests. */
export class OciLayout implements Source, Target, AsyncDisposable {
  readonly #files: Files
  readonly #writer: DirectoryWriter | undefined
  readonly #limit: number
  readonly #names: EntryNames

  private constructor(files: Files, writer: DirectoryWriter | undefined, limit: number, names: EntryNames) {
    this.#files = files
    this.#writer = writer
    this.#limit = limit
    this.#names = names
  }

  /**
   * Opens a layout: a directory, which can also be written, or a tar of one, plain or compressed, which cannot.
   *
   * @throws RegistryError NOT_FOUND, LAYOUT_INVALID
   */
  static async open(path: string, options: LayoutOptions = {}): Promise<OciLayout> {
    const limit = options.manifestBytes ?? usualManifestBytes
    const info = await stat(path).catch(() => undefined)
    if (info === undefined) throw registryErrors.notFound([path])
    const files = info.isDirectory() ? new DirectoryFiles(path) : await TarFiles.open(path, options.signal)
    const writer = info.isDirectory() ? new DirectoryWriter(path, limit) : undefined
    const layout = new OciLayout(files, writer, limit, options.names ?? 'ref')
    try {
      await layout.#check()
    } catch (error) {
      await layout[Symbol.asyncDispose]()
      throw error
    }
    return layout
  }

  /** Opens a directory as a layout and makes it one if it is new or empty. @throws RegistryError LAYOUT_INVALID */
  static async create(path: string, options: LayoutOptions = {}): Promise<OciLayout> {
    const writer = new DirectoryWriter(path, options.manifestBytes ?? usualManifestBytes)
    await writer.initialize(options.shared === true)
    return OciLayout.open(path, options)
  }

  /** What `index.json` lists. */
  async index(): Promise<Index> {
    const bytes = await this.#files.read('index.json', this.#limit)
    if (bytes === undefined) throw registryErrors.layoutInvalid([this.#files.path, 'index.json is missing'])
    const document = parseManifest(bytes, mediaTypes.ociIndex, `${this.#files.path}/index.json`)
    if (document.kind !== 'index') throw registryErrors.layoutInvalid([this.#files.path, 'index.json is not an index'])
    return document.index
  }

  /** Names that can be resolved. */
  async *tags(): AsyncGenerator<string> {
    for (const { annotations } of (await this.index()).manifests) {
      const name = annotations?.[refNameKey]
      if (name !== undefined) yield name
    }
  }

  /** By ref name, containerd's image name or digest; '' for the only image. */
  async resolve(reference: string, options: CallOptions = {}): Promise<Descriptor> {
    options.signal?.throwIfAborted()
    const { manifests } = await this.index()
    const found = reference === '' ? only(manifests) : manifests.find((descriptor) => isNamed(descriptor, reference))
    if (found !== undefined) return found
    if (isDigest(reference)) return (await this.#readManifest(reference, undefined, undefined)).descriptor
    const { path } = this.#files
    const names = manifests.flatMap((descriptor) => nameOf(descriptor) ?? []).filter((name) => !isCompanionTag(name))
    const hint = names.length > 0 ? { hint: `The layout has: ${names.slice(0, 20).join(', ')}` } : {}
    if (reference !== '') throw registryErrors.notFound([`${path}:${reference}`], hint)
    const several = `it holds ${manifests.length === 0 ? 'no images' : 'several images: say which one'}`
    throw registryErrors.layoutInvalid([path, several], hint)
  }

  async fetchManifest(reference: string | Descriptor, options: CallOptions = {}): Promise<FetchedManifest> {
    const descriptor = typeof reference === 'string' ? await this.resolve(reference, options) : reference
    return this.#readManifest(descriptor.digest, descriptor.size, descriptor.mediaType)
  }

  openBlob(descriptor: Descriptor, options: OpenBlobOptions = {}): AsyncIterable<Buffer> {
    const name = blobPath(descriptor.digest)
    const chunks = (): AsyncIterable<Buffer> => this.#files.stream(name, options)
    if (options.offset) return { [Symbol.asyncIterator]: () => chunks()[Symbol.asyncIterator]() }
    return selfVerifying({ [Symbol.asyncIterator]: () => verified(chunks(), descriptor) }, descriptor.digest)
  }

  /** Looks through all manifests that the index lists: layouts have no other record of who refers to whom. */
  async *referrers(subject: Pick<Descriptor, 'digest'>, options: ReferrersOptions = {}): AsyncGenerator<Descriptor> {
    for (const listed of (await this.index()).manifests) {
      options.signal?.throwIfAborted()
      if (!isManifestType(listed.mediaType) && !isIndexType(listed.mediaType)) continue
      const { bytes, descriptor } = await this.fetchManifest(listed, options)
      const referrer = referrerOf(bytes, descriptor)
      if (referrer?.subject.digest !== subject.digest) continue
      if (options.artifactType === undefined || referrer.referrer.artifactType === options.artifactType)
        yield referrer.referrer
    }
  }

  companions({ digest }: Pick<Descriptor, 'digest'>, options: CallOptions = {}): AsyncIterable<FoundCompanion> {
    return companionsByTag(digest, (tag) => this.fetchManifest(tag, options))
  }

  async hasBlob(descriptor: Pick<Descriptor, 'digest'>): Promise<boolean> {
    return (await this.#files.size(blobPath(descriptor.digest))) !== undefined
  }

  async pushBlob(descriptor: Descriptor, open: OpenContent, options: PushBlobOptions = {}): Promise<BlobPushResult> {
    if ((await this.#files.size(blobPath(descriptor.digest))) === descriptor.size) return 'exists'
    await this.#writable().writeBlob(descriptor, open, options)
    return 'uploaded'
  }

  async pushManifest(bytes: Uint8Array, mediaType: string, options: PushManifestOptions = {}): Promise<Descriptor> {
    const { companionOf = [], algorithm, annotations, signal } = options
    const tags = [...(options.tags ?? []), ...companionOf.map(companionTag)]
    const writer = this.#writable()
    parseManifest(bytes, mediaType)
    const digest = digestOf(bytes, algorithm)
    const descriptor: Descriptor = { mediaType: bareMediaType(mediaType), digest, size: bytes.length }
    await writer.writeBytes(blobPath(descriptor.digest), bytes)
    signal?.throwIfAborted()
    // What refers to another manifest can be found only if the index lists it.
    const listed = tags.length > 0 || annotations !== undefined || referrerOf(bytes, descriptor) !== undefined
    const how = { names: this.#names, annotations }
    if (listed) await writer.updateIndex((manifests) => withEntries(manifests, descriptor, tags, how), signal)
    return descriptor
  }

  /** Closes the files that are read. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#files instanceof TarFiles) await this.#files[Symbol.asyncDispose]()
  }

  #writable(): DirectoryWriter {
    if (this.#writer === undefined) throw registryErrors.unsupported([this.#files.path, 'a tar can only be read'])
    return this.#writer
  }

  async #check(): Promise<void> {
    const marker = await this.#files.read('oci-layout', this.#limit)
    const { path } = this.#files
    if (marker === undefined)
      throw registryErrors.layoutInvalid([path, 'not an OCI image layout: the file oci-layout is missing'])
    try {
      if (parseDocument(marker, markerSchema).imageLayoutVersion.startsWith('1.')) return
    } catch {
      // Said below.
    }
    throw registryErrors.layoutInvalid([path, 'its oci-layout file is not of version 1'])
  }

  async #readManifest(
    digest: Digest,
    size: number | undefined,
    mediaType: string | undefined,
  ): Promise<FetchedManifest> {
    const bytes = await this.#files.read(blobPath(digest), this.#limit)
    const what = `${this.#files.path}@${digest}`
    if (bytes === undefined) throw registryErrors.notFound([what])
    if (size !== undefined && bytes.length !== size)
      throw registryErrors.sizeMismatch([what, size, String(bytes.length)])
    const actual = digestOf(bytes, digestAlgorithm(digest))
    if (actual !== digest) throw registryErrors.digestMismatch([what, digest, actual])
    const document = parseManifest(bytes, mediaType, what)
    return { descriptor: { mediaType: document.mediaType, digest, size: bytes.length }, bytes }
  }
}

/** The only image: of several entries the one with a name, for what refers to it has none of its own. */
function only(manifests: readonly Descriptor[]): Descriptor | undefined {
  if (manifests.length === 1) return manifests[0]
  const named = manifests.filter((descriptor) => {
    const name = nameOf(descriptor)
    return name !== undefined && !isCompanionTag(name)
  })
  return new Set(named.map(({ digest }) => digest)).size === 1 ? named[0] : undefined
}

/** true when a path holds an OCI layout rather than something else. Reads only its marker file. */
export async function isOciLayout(path: string): Promise<boolean> {
  try {
    await using layout = await OciLayout.open(path)
    await layout.index()
    return true
  } catch (error) {
    if (isRegistryError(error)) return false
    throw error
  }
}
