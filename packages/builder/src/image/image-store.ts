/**
 * The images of the local store as a {@link Source} and {@link Target}, so that they can be copied, pushed, pulled and
 * read like those of a registry or layout.
 */
import { createReadStream } from 'node:fs'
import {
  type BlobPushResult,
  checkNamedDigest,
  counted,
  type Descriptor,
  digestOf,
  type FetchedManifest,
  type FoundCompanion,
  formatReference,
  isDigest,
  type OpenBlobOptions,
  type OpenContent,
  type PushBlobOptions,
  type PushManifestOptions,
  parseManifest,
  parseReference,
  type ReferrersOptions,
  referrerOf,
  type Source,
  selfVerifying,
  type Target,
  withDefaultTag,
} from '@tsbuild/registry-client'
import { storeErrors } from '../store/errors.ts'
import { type Attachment, type NamedImage, namesMeant } from '../store/refs.ts'
import type { Store } from '../store/store.ts'

/** Hex digits of a digest that are enough to name an image. */
const MIN_PREFIX = 6

export class ImageStore implements Source, Target {
  readonly #store: Store
  readonly #now: () => number

  /** @param now milliseconds since the epoch, for the times of names */
  constructor(store: Store, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /** Every name, sorted. */
  list(): Promise<NamedImage[]> {
    return this.#store.images.list()
  }

  /**
   * The image of a name (in full or short form), of a digest, of an id (the digest of its config), or of the first
   * digits of one. A digest behind a name has to fit.
   *
   * @throws BuildError IMAGE_UNKNOWN, IMAGE_NAME_MISMATCH; RegistryError REFERENCE_INVALID
   */
  async resolve(reference: string): Promise<Descriptor> {
    const images = await this.#store.images.list()
    const prefix = /^(?:sha256:)?([0-9a-f]+)$/.exec(reference)?.[1]
    if (prefix !== undefined && prefix.length >= MIN_PREFIX) {
      const found = await this.#byPrefix(images, prefix)
      if (found) return found
      if (isDigest(reference)) return await this.#stored(reference)
    }
    return meant(images, reference)[0].descriptor
  }

  /** Gives an image another name; a name that another image has moves. @returns the name in full form */
  async tag(reference: string, name: string): Promise<string> {
    const full = fullName(name)
    await this.#store.images.tag(full, await this.resolve(reference), this.#now())
    return full
  }

  /** Takes one name away. @returns the name in full form @throws BuildError IMAGE_UNKNOWN, IMAGE_NAME_MISMATCH */
  async untag(name: string): Promise<string> {
    const [found, ...more] = meant(await this.list(), name)
    if (more.length > 0) {
      const names = [found, ...more].map((image) => image.name).join(', ')
      throw storeErrors.imageUnknown([name], { hint: `several names have this digest, give one of them: ${names}` })
    }
    await this.#store.images.untag(found.name)
    return found.name
  }

  async fetchManifest(reference: string | Descriptor): Promise<FetchedManifest> {
    const descriptor = typeof reference === 'string' ? await this.resolve(reference) : reference
    if (!(await this.#store.blobs.has(descriptor.digest)))
      throw storeErrors.blobMissing([descriptor.digest], {
        hint: 'Of an image for several platforms the store may have only some: `tsbuild pull --all-platforms` fetches all.',
      })
    const bytes = await this.#store.blobs.read(descriptor.digest)
    // What is asked for next must not go when the name does.
    await this.#store.keep({ blobs: childrenOf(bytes, descriptor.mediaType) })
    return { descriptor, bytes }
  }

  /** What names an image as its subject; see `Images.attach`. */
  async *referrers(
    { digest }: Pick<Descriptor, 'digest'>,
    { artifactType }: ReferrersOptions = {},
  ): AsyncGenerator<Descriptor> {
    for (const { manifest, companion } of await this.#attachedTo(digest)) {
      const found = companion === undefined ? referrerOf(manifest.bytes, manifest.descriptor)?.referrer : undefined
      if (found && (artifactType === undefined || found.artifactType === artifactType)) yield found
    }
  }

  /** What belongs to an image without naming it: signatures of cosign. */
  async *companions({ digest }: Pick<Descriptor, 'digest'>): AsyncGenerator<FoundCompanion> {
    for (const { manifest, companion } of await this.#attachedTo(digest))
      if (companion !== undefined) yield { companion: { subject: digest, kind: companion }, manifest }
  }

  async #attachedTo(subject: string) {
    const attached = (await this.#store.images.attachments()).filter((attachment) => attachment.subject === subject)
    const found: { manifest: FetchedManifest; companion: Attachment['companion'] }[] = []
    for (const { descriptor, companion } of attached)
      if (await this.#store.blobs.has(descriptor.digest))
        found.push({ manifest: await this.fetchManifest(descriptor), companion })
    return found
  }

  openBlob({ digest }: Descriptor, { offset, signal }: OpenBlobOptions = {}): AsyncIterable<Buffer> {
    const { blobs } = this.#store
    if (!offset) return selfVerifying(blobs.open(digest, signal), digest)
    return createReadStream(blobs.path(digest), { start: offset, ...(signal && { signal }) })
  }

  hasBlob({ digest }: Pick<Descriptor, 'digest'>): Promise<boolean> {
    return this.#store.blobs.has(digest)
  }

  async pushBlob(descriptor: Descriptor, open: OpenContent, options: PushBlobOptions = {}): Promise<BlobPushResult> {
    const { blobs } = this.#store
    if ((await blobs.size(descriptor.digest)) === descriptor.size) return 'exists'
    const content = counted(open(0), descriptor.digest, (transferred) =>
      options.onProgress?.({ descriptor, transferred }),
    )
    await blobs.put(content, descriptor, options.signal)
    return 'uploaded'
  }

  /** Stores a manifest and gives it names, in full or short form. */
  async pushManifest(bytes: Uint8Array, mediaType: string, options: PushManifestOptions = {}): Promise<Descriptor> {
    const document = parseManifest(bytes, mediaType)
    const digest = digestOf(bytes, options.algorithm)
    const descriptor: Descriptor = { mediaType: document.mediaType, digest, size: bytes.length }
    for (const name of options.tags ?? []) checkNamedDigest(parseReference(name), digest)
    await this.#store.blobs.put(bytes, descriptor, options.signal)
    const referrer = referrerOf(bytes, descriptor)
    if (referrer) await this.#store.images.attach({ descriptor, subject: referrer.subject.digest })
    for (const { subject, kind } of options.companionOf ?? [])
      await this.#store.images.attach({ descriptor, subject, companion: kind })
    for (const name of options.tags ?? []) await this.#store.images.tag(fullName(name), descriptor, this.#now())
    return descriptor
  }

  /** The only image whose digest or id begins so. */
  async #byPrefix(images: readonly NamedImage[], prefix: string): Promise<Descriptor | undefined> {
    const found = new Map<string, Descriptor>()
    for (const { descriptor } of images) {
      const digests = [descriptor.digest, await this.#configDigest(descriptor)]
      if (digests.some((digest) => digest?.startsWith(`sha256:${prefix}`))) found.set(descriptor.digest, descriptor)
    }
    return found.size === 1 ? found.values().next().value : undefined
  }

  async #configDigest(descriptor: Descriptor): Promise<string | undefined> {
    const { bytes } = await this.fetchManifest(descriptor)
    const document = parseManifest(bytes, descriptor.mediaType, descriptor.digest)
    return document.kind === 'manifest' ? document.manifest.config.digest : undefined
  }

  /** A manifest that is in the store without a name, such as one of an index. */
  async #stored(digest: Descriptor['digest']): Promise<Descriptor> {
    if (!(await this.#store.blobs.has(digest))) throw storeErrors.imageUnknown([digest])
    const bytes = await this.#store.blobs.read(digest)
    return { mediaType: parseManifest(bytes, undefined, digest).mediaType, digest, size: bytes.length }
  }
}

/** Nothing for a document of a kind that is not known: it can still be handed out. */
function childrenOf(bytes: Uint8Array, mediaType: string): string[] {
  try {
    const document = parseManifest(bytes, mediaType)
    const children =
      document.kind === 'index' ? document.index.manifests : [document.manifest.config, ...document.manifest.layers]
    return children.map(({ digest }) => digest)
  } catch {
    return []
  }
}

/** @throws BuildError IMAGE_UNKNOWN; IMAGE_NAME_MISMATCH when the name has another digest than what is written behind it */
function meant(images: readonly NamedImage[], reference: string): readonly [NamedImage, ...NamedImage[]] {
  const { digest, ...name } = withDefaultTag(parseReference(reference))
  const [first, ...more] = namesMeant(images, fullName(reference))
  if (first !== undefined) return [first, ...more]
  const tagged = formatReference(name)
  const other = digest === undefined ? undefined : images.find((image) => image.name === tagged)
  if (other === undefined) throw storeErrors.imageUnknown([reference])
  throw storeErrors.nameMismatch([reference, other.descriptor.digest], {
    hint: `in the local store ${tagged} is ${other.descriptor.digest}`,
  })
}

function fullName(name: string): string {
  return formatReference(withDefaultTag(parseReference(name)))
}
