/**
 * Archives of `docker save` as a source: their `manifest.json` names a config and layers per image; the manifest that
 * registries want is made from that.
 */
import type { FetchedManifest, OpenBlobOptions, Source } from '../model/content.ts'
import { type Descriptor, parseImageConfig, parseManifest } from '../model/descriptor.ts'
import { type Digest, Digester, digestAlgorithm, digestOf, isDigest, verified } from '../model/digest.ts'
import { isRegistryError, registryErrors } from '../model/errors.ts'
import { mediaTypes } from '../model/media-types.ts'
import { familiarReference, parseReference, withDefaultTag } from '../model/reference.ts'
import { list, object, optional, parseDocument, SchemaProblem, text } from '../model/schema.ts'
import { selfVerifying } from '../model/verified-stream.ts'
import { blobPath, type LayoutOptions, usualManifestBytes } from './oci-layout.ts'
import { TarFiles } from './tar-files.ts'

/** Manifests of one index that are looked at. */
const originalsLimit = 1000

/** One image of the archive. */
interface ArchivedImage {
  /** As docker prints them: `busybox:latest`. */
  readonly names: readonly string[]
  readonly manifest: FetchedManifest
}

/** An archive of `docker save`, plain or gzipped. References are image names. Close it when done. */
export class DockerArchive implements Source, AsyncDisposable {
  readonly #files: TarFiles
  readonly #images: readonly ArchivedImage[]
  /** Files of the archive by the digest of their content. */
  readonly #blobs: ReadonlyMap<Digest, string>

  private constructor(files: TarFiles, images: readonly ArchivedImage[], blobs: ReadonlyMap<Digest, string>) {
    this.#files = files
    this.#images = images
    this.#blobs = blobs
  }

  /** @throws RegistryError NOT_FOUND, LAYOUT_INVALID */
  static async open(path: string, options: LayoutOptions = {}): Promise<DockerArchive> {
    const limit = options.manifestBytes ?? usualManifestBytes
    const files = await TarFiles.open(path, options.signal)
    try {
      const bytes = await files.read('manifest.json', limit)
      if (bytes === undefined)
        throw registryErrors.layoutInvalid([path, 'not an archive of docker save: manifest.json is missing'])
      const blobs = new Map<Digest, string>()
      const images: ArchivedImage[] = []
      const originals = await readOriginals(files, limit)
      for (const entry of parseEntries(bytes, path)) {
        const image = await readImage(files, entry, blobs, limit, options.signal)
        images.push({ ...image, manifest: originalOf(image, originals) ?? image.manifest })
      }
      return new DockerArchive(files, images, blobs)
    } catch (error) {
      await files[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Names of the images, as docker prints them. */
  names(): string[] {
    return this.#images.flatMap(({ names }) => names)
  }

  /** By name, `latest` understood, or by digest; '' for the only image. */
  async resolve(reference: string): Promise<Descriptor> {
    return this.#find(reference).manifest.descriptor
  }

  async fetchManifest(reference: string | Descriptor): Promise<FetchedManifest> {
    return this.#find(typeof reference === 'string' ? reference : reference.digest).manifest
  }

  openBlob(descriptor: Descriptor, options: OpenBlobOptions = {}): AsyncIterable<Buffer> {
    const name = this.#blobs.get(descriptor.digest)
    if (name === undefined) throw registryErrors.notFound([`${this.#files.path}@${descriptor.digest}`])
    const chunks = () => this.#files.stream(name, options)
    if (options.offset) return { [Symbol.asyncIterator]: chunks }
    return selfVerifying({ [Symbol.asyncIterator]: () => verified(chunks(), descriptor) }, descriptor.digest)
  }

  /** Closes the files that are read. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]()
  }

  #find(reference: string): ArchivedImage {
    const [only] = this.#images
    if (reference === '' && this.#images.length === 1) return only!
    const name = reference === '' || isDigest(reference) ? '' : dockerName(reference)
    const found = this.#images.find(
      ({ names, manifest }) => manifest.descriptor.digest === reference || names.includes(name),
    )
    if (found !== undefined) return found
    throw registryErrors.notFound([`${this.#files.path}:${reference}`], {
      hint: `The archive has: ${this.names().join(', ')}`,
    })
  }
}

/** A name as docker keeps it: short, with a tag. @throws RegistryError REFERENCE_INVALID */
export function dockerName(text: string): string {
  return familiarReference(withDefaultTag(parseReference(text)))
}

/** Tools write full and short names; what is no name at all stays as it is. */
function shortName(name: string): string {
  try {
    return dockerName(name)
  } catch (error) {
    if (isRegistryError(error)) return name
    throw error
  }
}

interface Entry {
  readonly Config: string
  readonly RepoTags?: readonly string[]
  readonly Layers: readonly string[]
}

const entriesSchema = list(
  object<Entry>({ Config: text, RepoTags: optional(list(text, 'texts')), Layers: list(text, 'texts') }),
  'images',
)

function parseEntries(bytes: Buffer, path: string): readonly Entry[] {
  try {
    return parseDocument(bytes, entriesSchema)
  } catch (error) {
    if (!(error instanceof SchemaProblem)) throw error
    throw registryErrors.layoutInvalid([path, `manifest.json: ${error.message}`])
  }
}

async function readImage(
  files: TarFiles,
  entry: Entry,
  blobs: Map<Digest, string>,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<ArchivedImage> {
  const fail = (why: string) => registryErrors.layoutInvalid([files.path, why])
  const config = await files.read(entry.Config, limit)
  if (config === undefined) throw fail(`${entry.Config} is missing`)
  const { rootfs } = parseImageConfig(config, `${files.path}: ${entry.Config}`)
  if (rootfs.diff_ids.length !== entry.Layers.length) {
    throw fail(`${entry.Layers.length} layers where the config has ${rootfs.diff_ids.length}`)
  }
  const configDigest = digestOf(config)
  blobs.set(configDigest, entry.Config)
  const layers: Descriptor[] = []
  for (const [n, name] of entry.Layers.entries())
    layers.push(await readLayer(files, name, rootfs.diff_ids[n]!, blobs, signal))
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: configDigest, size: config.length },
    layers,
  }
  const bytes = Buffer.from(JSON.stringify(manifest))
  return {
    names: (entry.RepoTags ?? []).map(shortName),
    manifest: { descriptor: { mediaType: mediaTypes.ociManifest, digest: digestOf(bytes), size: bytes.length }, bytes },
  }
}

/**
 * Manifests that the archive has as an OCI layout, too, by their {@link contentKey}: the bytes that made the digest. They
 * are a bonus; what is wrong with them is no reason not to read the rest.
 */
async function readOriginals(files: TarFiles, limit: number): Promise<Map<string, Original[]>> {
  const found = new Map<string, Original[]>()
  const visit = async (descriptors: readonly Descriptor[], depth: number): Promise<void> => {
    for (const descriptor of descriptors.slice(0, originalsLimit)) {
      const { digest, mediaType, size, annotations } = descriptor
      const bytes = size > limit ? undefined : await files.read(blobPath(digest), limit)
      if (bytes === undefined || digestOf(bytes, digestAlgorithm(digest)) !== digest) continue
      const document = parseManifest(bytes, mediaType, digest)
      const manifest = { descriptor: { mediaType: document.mediaType, digest, size: bytes.length }, bytes }
      const key = contentKey(manifest)
      const name = shortName(annotations?.['io.containerd.image.name'] ?? '')
      if (document.kind === 'manifest') found.set(key, [...(found.get(key) ?? []), { manifest, name }])
      else if (depth > 0) await visit(document.index.manifests, depth - 1)
    }
  }
  try {
    const index = (await files.size('oci-layout')) === undefined ? undefined : await files.read('index.json', limit)
    const document = index === undefined ? undefined : parseManifest(index, mediaTypes.ociIndex, 'index.json')
    if (document?.kind === 'index') await visit(document.index.manifests, 4)
  } catch (error) {
    if (!isRegistryError(error)) throw error
  }
  return found
}

interface Original {
  readonly manifest: FetchedManifest
  readonly name: string
}

/** Of several with the same content the one of the same name. */
function originalOf(
  { names, manifest }: ArchivedImage,
  originals: ReadonlyMap<string, readonly Original[]>,
): FetchedManifest | undefined {
  const found = originals.get(contentKey(manifest)) ?? []
  return (found.find(({ name }) => names.includes(name)) ?? found[0])?.manifest
}

/** Two manifests of the same config and layers, in whatever words. */
function contentKey({ bytes, descriptor }: FetchedManifest): string {
  const document = parseManifest(bytes, descriptor.mediaType)
  return document.kind === 'manifest'
    ? [document.manifest.config, ...document.manifest.layers].map(({ digest }) => digest).join(' ')
    : descriptor.digest
}

/** A plain layer has the digest that the config says, which is checked when it is read; others have to be hashed. */
async function readLayer(
  files: TarFiles,
  name: string,
  diffId: Digest,
  blobs: Map<Digest, string>,
  signal: AbortSignal | undefined,
): Promise<Descriptor> {
  const size = await files.size(name)
  if (size === undefined) throw registryErrors.layoutInvalid([files.path, `${name} is missing`])
  const mediaType = await layerType(files, name)
  let digest = diffId
  if (mediaType !== mediaTypes.ociLayer) {
    const digester = new Digester()
    for await (const chunk of files.stream(name, { signal, transient: true })) digester.update(chunk)
    digest = digester.digest()
  }
  blobs.set(digest, name)
  return { mediaType, digest, size }
}

async function layerType(files: TarFiles, name: string): Promise<string> {
  for await (const chunk of files.stream(name, { transient: true })) {
    if (chunk[0] === 0x1f && chunk[1] === 0x8b) return mediaTypes.ociLayerGzip
    if (chunk.length >= 4 && chunk.readUInt32LE(0) === 0xfd2fb528) return mediaTypes.ociLayerZstd
    break
  }
  return mediaTypes.ociLayer
}
