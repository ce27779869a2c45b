/**
 * Copies images and artifacts between any source and any target: children before parents, tags last.
 */
import { Repository } from './client.ts'
import type { BlobProgress, BlobPushResult, FetchedManifest, Source, Target } from './content.ts'
import { blobsOf, type Descriptor, parseManifest } from './descriptor.ts'
import { digestAlgorithm } from './digest.ts'
import { isRegistryError, registryErrors } from './errors.ts'
import { limiter } from './limiter.ts'
import { matchPlatform } from './match-platform.ts'
import { isForeignLayerType, isIndexType, isManifestType } from './media-types.ts'
import { formatPlatform, type Platform } from './platform.ts'

/** What and how to copy. */
export interface CopyOptions {
  /** Only the image of this platform; default everything that an index lists. */
  readonly platform?: Platform | undefined
  /** Also what refers to the copied manifests: signatures, attestations, SBOMs. Default false. */
  readonly referrers?: boolean | undefined
  /** Blobs on their way at the same time. Default 4. */
  readonly concurrency?: number | undefined
  /** Levels of indexes within indexes. Default 4. */
  readonly indexDepth?: number | undefined
  readonly signal?: AbortSignal | undefined
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

/** Bytes of all manifests of one copy, which are held in memory until they are pushed. */
const documentsLimit = 256 << 20

/** A manifest or index to push, in the order to push them. */
interface Planned {
  readonly manifest: FetchedManifest
  readonly blobs: readonly Descriptor[]
}

/**
 * Copies what `reference` names in `source` and gives it names in `target`.
 *
 * Nothing is named in the target before all of it is there. When it fails, or is aborted, everything on its way is
 * stopped and waited for before the error is thrown; blobs that had arrived stay.
 *
 * @param tags names in the target; none to store it by digest only
 * @throws RegistryError PLATFORM_NOT_FOUND, INDEX_TOO_DEEP, and what source and target throw
 */
export async function copy(
  source: Source,
  reference: string,
  target: Target,
  tags: string | readonly string[],
  options: CopyOptions = {},
): Promise<CopyResult> {
  const { platform, signal } = options
  const root = await fetchRoot(source, reference, platform, options)
  const plan = await planTree(source, root, options)
  if (options.referrers === true) await planReferrers(source, plan, options)
  const blobs = await pushBlobs(source, target, plan, options)
  const rootDigest = root.descriptor.digest
  const store = ({ bytes, descriptor: { mediaType, digest } }: FetchedManifest, names: readonly string[]) =>
    target.pushManifest(bytes, mediaType, { tags: names, algorithm: digestAlgorithm(digest), signal })
  for (const { manifest } of plan.values()) if (manifest.descriptor.digest !== rootDigest) await store(manifest, [])
  const descriptor = await store(root, typeof tags === 'string' ? [tags] : tags)
  return { descriptor, manifests: plan.size, blobs }
}

/** The manifest or index that is meant: with a platform, the image of it, through nested indexes. */
async function fetchRoot(
  source: Source,
  reference: string,
  platform: Platform | undefined,
  options: CopyOptions,
): Promise<FetchedManifest> {
  const { signal } = options
  let found = await source.fetchManifest(reference, { signal })
  if (platform === undefined) return found
  const depth = options.indexDepth ?? 4
  for (let level = 0; level <= depth; level++) {
    const document = parseManifest(found.bytes, found.descriptor.mediaType, reference)
    if (document.kind === 'manifest') return found
    const match = matchPlatform(document.index, platform)
    if (match === undefined) {
      const offered = document.index.manifests.flatMap((d) =>
        d.platform === undefined ? [] : [formatPlatform(d.platform)],
      )
      throw registryErrors.platformNotFound([reference, formatPlatform(platform), offered.join(', ')])
    }
    found = await source.fetchManifest(match, { signal })
  }
  throw registryErrors.indexTooDeep([reference, depth])
}

/** All manifests below one, children first, each once. */
async function planTree(
  source: Source,
  root: FetchedManifest,
  options: CopyOptions,
  plan: Map<string, Planned> = new Map(),
): Promise<Map<string, Planned>> {
  const limit = options.indexDepth ?? 4
  const { signal } = options
  let bytes = [...plan.values()].reduce((sum, { manifest }) => sum + manifest.bytes.length, 0)
  const visit = async (manifest: FetchedManifest, depth: number): Promise<void> => {
    const { digest, mediaType } = manifest.descriptor
    if (plan.has(digest)) return
    if (depth > limit) throw registryErrors.indexTooDeep([root.descriptor.digest, limit])
    bytes += manifest.bytes.length
    if (bytes > documentsLimit)
      throw registryErrors.manifestTooLarge([`everything in ${root.descriptor.digest}`, documentsLimit])
    const document = parseManifest(manifest.bytes, mediaType, digest)
    if (document.kind === 'manifest') {
      // Foreign layers stay where their URLs lead to; registries may not be allowed to have them.
      const blobs = blobsOf(document.manifest).filter((d) => !(isForeignLayerType(d.mediaType) && d.urls?.length))
      plan.set(digest, { manifest, blobs })
      return
    }
    const blobs: Descriptor[] = []
    for (const child of document.index.manifests) {
      if (isIndexType(child.mediaType) || isManifestType(child.mediaType)) {
        if (!plan.has(child.digest)) await visit(await source.fetchManifest(child, { signal }), depth + 1)
      } else {
        blobs.push(child)
      }
    }
    plan.set(digest, { manifest, blobs })
  }
  await visit(root, 0)
  return plan
}

/** Adds what refers to the planned manifests, and to that in turn. */
async function planReferrers(source: Source, plan: Map<string, Planned>, options: CopyOptions): Promise<void> {
  if (source.referrers === undefined) return
  const { signal } = options
  const queue = [...plan.values()].map(({ manifest }) => manifest.descriptor)
  const seen = new Set(queue.map(({ digest }) => digest))
  for (let subject = queue.shift(); subject !== undefined; subject = queue.shift()) {
    for await (const referrer of source.referrers(subject, { signal })) {
      if (seen.has(referrer.digest)) continue
      seen.add(referrer.digest)
      await planTree(source, await source.fetchManifest(referrer, { signal }), options, plan)
      queue.push(referrer)
    }
  }
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
  const mountFrom = source instanceof Repository ? [source.name] : []
  const failure = new AbortController()
  const signal = options.signal === undefined ? failure.signal : AbortSignal.any([options.signal, failure.signal])
  const limit = limiter(options.concurrency ?? 4)
  const push = async (descriptor: Descriptor): Promise<void> => {
    const open = (offset: number) => source.openBlob(descriptor, { offset, signal, transient: true })
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
