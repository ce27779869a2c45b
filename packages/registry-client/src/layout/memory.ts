/**
 * Images in memory, as source and target: for small artifacts, tests, and documents made on the spot.
 */
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
import { type Digest, digestOf, verified } from '../model/digest.ts'
import { registryErrors } from '../model/errors.ts'
import { bareMediaType } from '../model/media-types.ts'
import { referrerOf } from '../model/referrer.ts'
import { isSelfVerifying, selfVerifying } from '../model/verified-stream.ts'

/** A repository of sorts that is gone with the process. References are tags and digests. */
export class MemoryImages implements Source, Target {
  readonly #blobs = new Map<Digest, Buffer>()
  readonly #manifests = new Map<Digest, FetchedManifest>()
  readonly #tags = new Map<string, Digest>()

  /** Keeps bytes as a blob. They must not be changed afterwards. */
  addBlob(bytes: Buffer, mediaType = 'application/octet-stream'): Descriptor {
    const digest = digestOf(bytes)
    this.#blobs.set(digest, bytes)
    return { mediaType, digest, size: bytes.length }
  }

  /** Names in order of their first use. */
  tags(): string[] {
    return [...this.#tags.keys()]
  }

  async resolve(reference: string, options: CallOptions = {}): Promise<Descriptor> {
    return (await this.fetchManifest(reference, options)).descriptor
  }

  async fetchManifest(reference: string | Descriptor, options: CallOptions = {}): Promise<FetchedManifest> {
    options.signal?.throwIfAborted()
    const name = typeof reference === 'string' ? reference : reference.digest
    const found = this.#manifests.get(this.#tags.get(name) ?? (name as Digest))
    if (found === undefined) throw registryErrors.notFound([`memory:${name}`])
    return found
  }

  openBlob(descriptor: Descriptor, { offset = 0, signal }: OpenBlobOptions = {}): AsyncIterable<Buffer> {
    const blobs = this.#blobs
    const chunks = async function* () {
      signal?.throwIfAborted()
      const bytes = blobs.get(descriptor.digest)
      if (bytes === undefined) throw registryErrors.notFound([`memory@${descriptor.digest}`])
      yield bytes.subarray(offset)
    }
    const stream = { [Symbol.asyncIterator]: () => (offset === 0 ? verified(chunks(), descriptor) : chunks()) }
    return offset === 0 ? selfVerifying(stream, descriptor.digest) : stream
  }

  async *referrers(
    { digest }: Pick<Descriptor, 'digest'>,
    { artifactType, signal }: ReferrersOptions = {},
  ): AsyncGenerator<Descriptor> {
    for (const { bytes, descriptor } of this.#manifests.values()) {
      signal?.throwIfAborted()
      const found = referrerOf(bytes, descriptor)
      if (found?.subject.digest !== digest) continue
      if (artifactType === undefined || found.referrer.artifactType === artifactType) yield found.referrer
    }
  }

  companions({ digest }: Pick<Descriptor, 'digest'>, options: CallOptions = {}): AsyncIterable<FoundCompanion> {
    return companionsByTag(digest, (tag) => this.fetchManifest(tag, options))
  }

  async hasBlob({ digest }: Pick<Descriptor, 'digest'>): Promise<boolean> {
    return this.#blobs.has(digest)
  }

  async pushBlob(
    descriptor: Descriptor,
    open: OpenContent,
    { onProgress, signal }: PushBlobOptions = {},
  ): Promise<BlobPushResult> {
    if (this.#blobs.has(descriptor.digest)) return 'exists'
    const content = open(0)
    const chunks: Buffer[] = []
    let transferred = 0
    for await (const chunk of isSelfVerifying(content, descriptor.digest) ? content : verified(content, descriptor)) {
      signal?.throwIfAborted()
      chunks.push(Buffer.from(chunk))
      transferred += chunk.length
      onProgress?.({ descriptor, transferred })
    }
    this.#blobs.set(descriptor.digest, Buffer.concat(chunks, descriptor.size))
    return 'uploaded'
  }

  async pushManifest(
    bytes: Uint8Array,
    mediaType: string,
    { tags = [], companionOf = [], algorithm, signal }: PushManifestOptions = {},
  ): Promise<Descriptor> {
    signal?.throwIfAborted()
    parseManifest(bytes, mediaType)
    const descriptor = { mediaType: bareMediaType(mediaType), digest: digestOf(bytes, algorithm), size: bytes.length }
    this.#manifests.set(descriptor.digest, { descriptor, bytes: Buffer.from(bytes) })
    for (const tag of [...tags, ...companionOf.map(companionTag)]) this.#tags.set(tag, descriptor.digest)
    return descriptor
  }
}
