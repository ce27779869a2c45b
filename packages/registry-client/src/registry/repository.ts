import { companionsByTag, companionTag } from '../model/companions.ts'
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
import { type Descriptor, parseManifest } from '../model/descriptor.ts'
import { type Digest, digestOf, type Expected } from '../model/digest.ts'
import { isRegistryError } from '../model/errors.ts'
import { bareMediaType } from '../model/media-types.ts'
import { checkNamedDigest, type Reference } from '../model/reference.ts'
import { referrerOf } from '../model/referrer.ts'
import { selfVerifying } from '../model/verified-stream.ts'
import { downloadBlob } from './download.ts'
import { deleteManifest, fetchManifest, putManifest, resolveManifest } from './manifests.ts'
import { type KeyedLock, listReferrers, updateFallback } from './referrers.ts'
import type { RepositoryAccess } from './repository-access.ts'
import { type ListTagsOptions, listTags } from './tags.ts'
import { deleteBlob, hasBlob, pushBlob } from './upload.ts'
import { type UploadStreamOptions, uploadStream } from './upload-stream.ts'

/** One repository of a registry: a {@link Source} and a {@link Target}, and everything else the spec can do. */
export class Repository implements Source, Target {
  /** As it was asked for. */
  readonly reference: Reference
  readonly #access: RepositoryAccess
  readonly #lock: KeyedLock

  /** @hidden repositories come from {@link RegistryClient.repository} */
  constructor(reference: Reference, access: RepositoryAccess, lock: KeyedLock) {
    this.reference = reference
    this.#access = access
    this.#lock = lock
  }

  /** `registry/repository`, as `mountFrom` wants it. */
  get name(): string {
    return `${this.reference.registry}/${this.reference.repository}`
  }

  /** Levels of indexes within indexes that are followed (see `RegistryClientOptions.limits`). */
  get indexDepth(): number {
    return this.#access.limits.indexDepth
  }

  /** The digest or tag of {@link reference}, else `latest`. */
  get defaultReference(): string {
    return this.reference.digest ?? this.reference.tag ?? 'latest'
  }

  async resolve(reference: string = this.defaultReference, options: CallOptions = {}): Promise<Descriptor> {
    return resolveManifest(this.#access, reference, options.signal)
  }

  async fetchManifest(
    reference: string | Descriptor = this.defaultReference,
    options: CallOptions = {},
  ): Promise<FetchedManifest> {
    return fetchManifest(this.#access, reference, options.signal)
  }

  openBlob(descriptor: Descriptor, options: OpenBlobOptions = {}): AsyncIterable<Buffer> {
    const stream = { [Symbol.asyncIterator]: () => downloadBlob(this.#access, descriptor, options) }
    return options.offset ? stream : selfVerifying(stream, descriptor.digest)
  }

  referrers(subject: Pick<Descriptor, 'digest'>, options: ReferrersOptions = {}): AsyncIterable<Descriptor> {
    return listReferrers(this.#access, subject, options)
  }

  companions(subject: Pick<Descriptor, 'digest'>, options: CallOptions = {}): AsyncIterable<FoundCompanion> {
    return companionsByTag(subject.digest, (tag) => this.fetchManifest(tag, options))
  }

  /** Tags page by page (distribution-spec "Listing Tags"). */
  tags(options: ListTagsOptions = {}): AsyncIterable<string> {
    return listTags(this.#access, options)
  }

  async hasBlob(descriptor: Pick<Descriptor, 'digest'>, options: CallOptions = {}): Promise<boolean> {
    return hasBlob(this.#access, descriptor, options.signal)
  }

  async pushBlob(descriptor: Descriptor, open: OpenContent, options: PushBlobOptions = {}): Promise<BlobPushResult> {
    return pushBlob(this.#access, descriptor, open, options)
  }

  /** Sends content whose digest is not known yet. It is read once and cannot be resumed. */
  async uploadStream(content: AsyncIterable<Uint8Array>, options: UploadStreamOptions = {}): Promise<Expected> {
    return uploadStream(this.#access, content, options)
  }

  /**
   * Stores a manifest. One with a `subject` is also listed among its referrers where the registry does not do so
   * itself (distribution-spec "Pushing Manifests with Subject").
   *
   * @throws RegistryError DIGEST_MISMATCH when it is to be named and {@link reference} has another digest
   */
  async pushManifest(bytes: Uint8Array, mediaType: string, options: PushManifestOptions = {}): Promise<Descriptor> {
    const { signal, algorithm, companionOf = [] } = options
    parseManifest(bytes, mediaType)
    const digest = digestOf(bytes, algorithm)
    if (options.tags?.length) checkNamedDigest(this.reference, digest)
    const tags = [...(options.tags ?? []), ...companionOf.map(companionTag)]
    const descriptor: Descriptor = { mediaType: bareMediaType(mediaType), digest, size: bytes.length }
    const subject = await putManifest(this.#access, { bytes, mediaType, digest, tags, signal })
    const referrer = referrerOf(bytes, descriptor)
    if (referrer !== undefined && subject === undefined) {
      await updateFallback(this.#access, this.#lock, referrer.subject, { add: referrer.referrer }, signal)
    }
    return descriptor
  }

  /** Deletes a manifest and takes it out of the list of referrers of its subject. */
  async deleteManifest(digest: Digest, options: CallOptions = {}): Promise<void> {
    const { signal } = options
    const { bytes, descriptor } = await this.fetchManifest(digest, options)
    const referrer = referrerOf(bytes, descriptor)
    await deleteManifest(this.#access, digest, signal)
    if (referrer === undefined) return
    try {
      await updateFallback(this.#access, this.#lock, referrer.subject, { remove: digest }, signal)
    } catch (error) {
      // The manifest is gone, which is what was asked for; lists with dangling entries are allowed.
      if (!isRegistryError(error)) throw error
    }
  }

  /** Deletes a tag but not the manifest. @throws RegistryError REJECTED where the registry cannot */
  async deleteTag(tag: string, options: CallOptions = {}): Promise<void> {
    await deleteManifest(this.#access, tag, options.signal)
  }

  /** Deletes a blob (distribution-spec "Deleting Blobs"); one that does not exist is an error. */
  async deleteBlob(digest: Digest, options: CallOptions = {}): Promise<void> {
    await deleteBlob(this.#access, digest, options.signal)
  }
}
