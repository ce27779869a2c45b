/**
 * Where images are read from and written to: the two interfaces that `copy` joins.
 *
 * A registry repository, an OCI layout (directory or tar), a docker archive and plain memory are all a {@link Source},
 * a {@link Target} or both. Implement one of them to copy from or to anything else; the contract suite of this package
 * (content.contract.ts) shows what is expected.
 *
 * Everything is content-addressed. Implementations check what they hand out: bytes of a manifest always hash to its
 * descriptor's digest, and a blob stream that ends without error was exactly the blob.
 */
import type { Descriptor } from './descriptor.ts'
import type { Digest, DigestAlgorithm } from './digest.ts'

/** What every call accepts. An aborted call rejects with `signal.reason` and leaves nothing half done behind. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** A manifest or index as it is stored: `bytes` hash to `descriptor.digest`. */
export interface FetchedManifest {
  readonly descriptor: Descriptor
  readonly bytes: Buffer
}

export interface OpenBlobOptions extends CallOptions {
  /**
   * First byte wanted, default 0. From 0 the whole content is verified against its digest; from elsewhere only its
   * length can be checked, and the caller who has the first part verifies the whole.
   */
  readonly offset?: number | undefined
  /**
   * Allows each chunk to be valid only until the next one is asked for, which lets big downloads reuse one buffer.
   * For callers that write or hash a chunk before they go on; never for callers that collect chunks.
   */
  readonly transient?: boolean | undefined
}

export interface ReferrersOptions extends CallOptions {
  /** Only referrers of this artifact type. */
  readonly artifactType?: string | undefined
}

/** Ties a manifest to another one that it does not name: as cosign ties signatures (see companions.ts). */
export interface Companion {
  readonly subject: Digest
  /** Signatures, attestations, SBOMs. */
  readonly kind: 'sig' | 'att' | 'sbom'
}

/** A companion that was found. */
export interface FoundCompanion {
  readonly companion: Companion
  readonly manifest: FetchedManifest
}

/** Something images can be read from. */
export interface Source {
  /**
   * The descriptor of a name: a tag or digest in a registry, a ref name or digest in a layout.
   *
   * @throws RegistryError NOT_FOUND
   */
  resolve(reference: string, options?: CallOptions): Promise<Descriptor>

  /**
   * A manifest or index, by name or by its descriptor, bounded in size and verified. The media type of the returned
   * descriptor is the one it is served or stored under.
   *
   * @throws RegistryError NOT_FOUND, DIGEST_MISMATCH, MANIFEST_TOO_LARGE, MEDIA_TYPE_UNSUPPORTED
   */
  fetchManifest(reference: string | Descriptor, options?: CallOptions): Promise<FetchedManifest>

  /**
   * The content of a blob. Nothing happens until it is iterated; leaving the loop early releases the connection or
   * file. It never yields more than `descriptor.size` bytes and throws before its end when the content is not the
   * blob, so nothing read from it counts until it has ended.
   */
  openBlob(descriptor: Descriptor, options?: OpenBlobOptions): AsyncIterable<Buffer>

  /** Manifests whose `subject` is the given one (distribution-spec "Listing Referrers"). Absent: has none. */
  referrers?(subject: Descriptor, options?: ReferrersOptions): AsyncIterable<Descriptor>

  /** Manifests that are tied to the given one without naming it: cosign's. Absent: has none. */
  companions?(subject: Pick<Descriptor, 'digest'>, options?: CallOptions): AsyncIterable<FoundCompanion>
}

/** Opens content from a byte on: called again with a higher offset to resume, or with 0 to start over. */
export type OpenContent = (offset: number) => AsyncIterable<Uint8Array>

/** Progress of one blob in bytes of its descriptor. */
export interface BlobProgress {
  readonly descriptor: Descriptor
  /** Bytes done; may go back when a transfer has to start over. */
  readonly transferred: number
}

export interface PushBlobOptions extends CallOptions {
  /** Repositories of the same registry that may have the blob already: `registry/repository`, likeliest first. */
  readonly mountFrom?: readonly string[] | undefined
  readonly onProgress?: ((progress: BlobProgress) => void) | undefined
}

/** How a blob got to its target: it was there, was linked from another repository, or its bytes were sent. */
export type BlobPushResult = 'exists' | 'mounted' | 'uploaded'

export interface PushManifestOptions extends CallOptions {
  /** Names to give it: tags in a registry, ref names in a layout, `repository:tag` in a docker archive. */
  readonly tags?: readonly string[] | undefined
  /**
   * What the index of a layout or archive says of it beside its names; with that it is listed there without a name, too.
   * Registries have no place for it.
   */
  readonly annotations?: Readonly<Record<string, string>> | undefined
  /** What it belongs to without naming it; it is kept so that `Source.companions` finds it. */
  readonly companionOf?: readonly Companion[] | undefined
  /** What its digest is made with; default sha256. An index that names it by another one needs that. */
  readonly algorithm?: DigestAlgorithm | undefined
}

/** Something images can be written to. */
export interface Target {
  /** true when the blob is there already. */
  hasBlob(descriptor: Descriptor, options?: CallOptions): Promise<boolean>

  /**
   * Makes sure the target has the blob; idempotent. `open` is called when bytes are needed, and again to resume. The
   * chunks may be transient: they are done with before the next one is asked for.
   *
   * @throws RegistryError DIGEST_MISMATCH, SIZE_MISMATCH when the content is not the blob; nothing is stored then
   */
  pushBlob(descriptor: Descriptor, open: OpenContent, options?: PushBlobOptions): Promise<BlobPushResult>

  /**
   * Stores a manifest or index under its digest and then gives it its names, which replace older ones. What it refers
   * to must have been pushed before.
   *
   * @returns its descriptor
   */
  pushManifest(bytes: Uint8Array, mediaType: string, options?: PushManifestOptions): Promise<Descriptor>
}
