/**
 * Copies images and artifacts between any source and any target: children before parents, tags last.
 */

import pLimit from 'p-limit'
import type {
  BlobProgress,
  BlobPushResult,
  FetchedManifest,
  PushManifestOptions,
  Source,
  Target,
} from '../model/content.ts'
import type { Descriptor } from '../model/descriptor.ts'
import { type Digest, digestAlgorithm } from '../model/digest.ts'
import { isRegistryError, registryErrors } from '../model/errors.ts'
import { Repository } from '../registry/repository.ts'
import { type Planned, type PlanOptions, planCopy, referenceText } from './copy-plan.ts'

/** What and how to copy. */
export interface CopyOptions extends PlanOptions {
  /** The digest that what is copied must have. Default: the one that the name of the target has, if any. */
  readonly digest?: Digest | undefined
  /** Repositories of the target's registry that may have the blobs, or a blob: `registry/repository`, likeliest first. */
  readonly mountFrom?: readonly string[] | ((descriptor: Descriptor) => readonly string[]) | undefined
  /** What the index of a layout or archive is to say of it; see `PushManifestOptions`. */
  readonly annotations?: Readonly<Record<string, string>> | undefined
  /** Blobs on their way at the same time. Default 4. */
  readonly concurrency?: number | undefined
  /** Called while blobs are sent, and once for each with `result`. */
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined
}

export interface CopyProgress extends BlobProgress {
  /** Set when the blob has arrived. */
  readonly result?: BlobPushResult
}

/** What was copied. */
export interface CopyResult {
  /** What the target's names point at now. */
  readonly descriptor: Descriptor
  /** Manifests and indexes stored, referrers included. */
  readonly manifests: number
  /** Blobs by how they got there. */
  readonly blobs: Readonly<Record<BlobPushResult, number>>
}

/**
 * Copies what `reference` names or describes in `source` and gives it names in `target`.
 *
 * Nothing is named in the target before all of it is there. When it fails, or is aborted, everything on its way is
 * stopped and waited for before the error is thrown; blobs that had arrived stay.
 *
 * @param tags names in the target; none to store it by digest only
 * @throws RegistryError PLATFORM_NOT_FOUND, INDEX_TOO_DEEP, DIGEST_MISMATCH, and what source and target throw
 */
export async function copy(
  source: Source,
  reference: string | Descriptor,
  target: Target,
  tags: string | readonly string[],
  options: CopyOptions = {},
): Promise<CopyResult> {
  const { signal } = options
  const indexDepth = options.indexDepth ?? (source instanceof Repository ? source.indexDepth : undefined)
  const plan = await planCopy(source, reference, { ...options, indexDepth })
  const { root } = plan
  const rootDigest = root.descriptor.digest
  const digest = options.digest ?? (target instanceof Repository ? target.reference.digest : undefined)
  // Before the first byte: what is there stays as it is.
  if (digest !== undefined && digest !== rootDigest)
    throw registryErrors.digestMismatch([referenceText(reference), digest, rootDigest], {
      hint: 'A name with a digest can only be given to the content of that digest.',
    })
  const blobs = await pushBlobs(source, target, plan.manifests, options)
  const store = ({ bytes, descriptor }: FetchedManifest, names: PushManifestOptions) => {
    const { mediaType } = descriptor
    const algorithm = digestAlgorithm(descriptor.digest)
    const companionOf = plan.companions.get(descriptor.digest) ?? []
    return target.pushManifest(bytes, mediaType, { ...names, companionOf, algorithm, signal })
  }
  for (const { manifest } of plan.manifests.values())
    if (manifest.descriptor.digest !== rootDigest) await store(manifest, {})
  const { annotations } = options
  const descriptor = await store(root, { tags: typeof tags === 'string' ? [tags] : tags, annotations })
  return { descriptor, manifests: plan.manifests.size, blobs }
}

async function pushBlobs(
  source: Source,
  target: Target,
  plan: ReadonlyMap<string, Planned>,
  options: CopyOptions,
): Promise<Record<BlobPushResult, number>> {
  const { onProgress } = options
  const unique = new Map([...plan.values()].flatMap(({ blobs }) => blobs.map((d) => [d.digest, d] as const)))
  const counts: Record<BlobPushResult, number> = { exists: 0, mounted: 0, uploaded: 0 }
  const own = source instanceof Repository ? [source.name] : []
  const others = options.mountFrom ?? []
  const failure = new AbortController()
  const signal = options.signal === undefined ? failure.signal : AbortSignal.any([options.signal, failure.signal])
  const limit = pLimit(Math.max(1, options.concurrency ?? 4))
  const push = async (descriptor: Descriptor): Promise<void> => {
    const open = (offset: number) => source.openBlob(descriptor, { offset, signal, transient: true })
    const mountFrom = [...own, ...(typeof others === 'function' ? others(descriptor) : others)]
    const result = await onceMore(() => target.pushBlob(descriptor, open, { mountFrom, signal, onProgress }))
    counts[result]++
    onProgress?.({ descriptor, transferred: descriptor.size, result })
  }
  const settled = await Promise.allSettled(
    [...unique.values()].map((descriptor) =>
      limit(async () => {
        signal.throwIfAborted()
        await push(descriptor)
      }).catch((error: unknown) => {
        failure.abort(error)
        throw error
      }),
    ),
  )
  options.signal?.throwIfAborted()
  if (failure.signal.aborted) throw failure.signal.reason
  for (const outcome of settled) if (outcome.status === 'rejected') throw outcome.reason
  return counts
}

/**
 * Runs a transfer once more from its start when its content turned out wrong at the end: bits that flip on the way
 * rarely flip twice.
 */
export async function onceMore<T>(transfer: () => Promise<T>): Promise<T> {
  try {
    return await transfer()
  } catch (error) {
    if (!isRegistryError(error, 'DIGEST_MISMATCH')) throw error
    return transfer()
  }
}
