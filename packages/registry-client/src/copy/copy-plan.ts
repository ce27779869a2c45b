/**
 * What a copy has to take: the manifests below the one that is meant, in the order to push them, and their blobs.
 */
import type { Companion, FetchedManifest, Source } from '../model/content.ts'
import { blobsOf, type Descriptor, type Manifest, parseImageConfig, parseManifest } from '../model/descriptor.ts'
import type { Digest } from '../model/digest.ts'
import { registryErrors } from '../model/errors.ts'
import { matchPlatform, platformMatches } from '../model/match-platform.ts'
import {
  isConfigType,
  isForeignLayerType,
  isIndexType,
  isManifestType,
  isObsoleteManifestType,
} from '../model/media-types.ts'
import { formatPlatform, type Platform } from '../model/platform.ts'

/** Bytes of all manifests of one copy, which are held in memory until they are pushed. */
const documentsLimit = 256 << 20
/** Bytes of a config that is read for its platform. */
const configLimit = 4 << 20
/** Levels of indexes within indexes, unless asked otherwise. */
const usualDepth = 4

/** A manifest or index to push. */
export interface Planned {
  readonly manifest: FetchedManifest
  readonly blobs: readonly Descriptor[]
}

export interface CopyPlan {
  readonly root: FetchedManifest
  /** By digest, children before parents. */
  readonly manifests: ReadonlyMap<string, Planned>
  /** What manifests belong to without naming it, by digest. */
  readonly companions: ReadonlyMap<string, readonly Companion[]>
}

/** What to copy. */
export interface PlanOptions {
  /** Only the image of this platform; default everything that an index lists. */
  readonly platform?: Platform | undefined
  /** Take an image that is in no index whatever its platform is: nobody has asked for one. Default false: an error. */
  readonly platformOptional?: boolean | undefined
  /** With a platform: copy the index as it is and, of its images, only that one. Default false: the image alone. */
  readonly keepIndex?: boolean | undefined
  /**
   * Also what refers to the copied manifests: signatures, attestations, SBOMs, those that cosign ties by a tag included.
   * Default false.
   */
  readonly referrers?: boolean | undefined
  /** Also layers that need not be in a registry because their manifest says where else to get them. Default false. */
  readonly nondistributable?: boolean | undefined
  /** Levels of indexes within indexes. Default 4. */
  readonly indexDepth?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Fetches all manifests of a copy. @throws RegistryError PLATFORM_NOT_FOUND, INDEX_TOO_DEEP, MEDIA_TYPE_UNSUPPORTED */
export async function planCopy(
  source: Source,
  reference: string | Descriptor,
  options: PlanOptions,
): Promise<CopyPlan> {
  const root = await fetchRoot(source, reference, options)
  const plan = new Planner(source, options)
  await plan.addTree(root)
  if (options.referrers === true) await plan.addReferrers()
  return { root, manifests: plan.manifests, companions: plan.companions }
}

/** What was asked for, in messages. */
export function referenceText(reference: string | Descriptor): string {
  return typeof reference === 'string' ? reference : reference.digest
}

async function fetchRoot(
  source: Source,
  reference: string | Descriptor,
  options: PlanOptions,
): Promise<FetchedManifest> {
  const what = referenceText(reference)
  const { platform, platformOptional, keepIndex, signal } = options
  if (platform !== undefined && !keepIndex) return fetchForPlatform(source, reference, platform, options)
  const root = await source.fetchManifest(reference, { signal })
  const document = parseManifest(root.bytes, root.descriptor.mediaType, what)
  if (platform !== undefined && document.kind === 'manifest' && !platformOptional)
    await checkPlatform(source, document.manifest, what, platform, signal)
  return root
}

/**
 * The image of a platform, through nested indexes.
 *
 * @throws RegistryError PLATFORM_NOT_FOUND, also for an image that is in no index and of another platform
 */
export async function fetchForPlatform(
  source: Source,
  reference: string | Descriptor,
  platform: Platform,
  options: Pick<PlanOptions, 'platformOptional' | 'indexDepth' | 'signal'> = {},
): Promise<FetchedManifest> {
  const { signal, indexDepth = usualDepth } = options
  const what = referenceText(reference)
  let found = await source.fetchManifest(reference, { signal })
  for (let level = 0; level <= indexDepth; level++) {
    const document = parseManifest(found.bytes, found.descriptor.mediaType, what)
    if (document.kind === 'manifest') {
      if (level === 0 && !options.platformOptional)
        await checkPlatform(source, document.manifest, what, platform, signal)
      return found
    }
    found = await source.fetchManifest(choose(document.index.manifests, platform, what), { signal })
  }
  throw registryErrors.indexTooDeep([what, indexDepth])
}

function choose(manifests: readonly Descriptor[], platform: Platform, reference: string): Descriptor {
  const match = matchPlatform({ manifests }, platform)
  if (match !== undefined) return match
  const offered = manifests.flatMap((d) => (d.platform === undefined ? [] : [formatPlatform(d.platform)]))
  throw registryErrors.platformNotFound([reference, formatPlatform(platform), offered.join(', ')])
}

/** An image that is in no index tells its platform in its config; what is no image has none. */
async function checkPlatform(
  source: Source,
  { config }: Manifest,
  reference: string,
  platform: Platform,
  signal: AbortSignal | undefined,
): Promise<void> {
  const missing = (offered: string) => registryErrors.platformNotFound([reference, formatPlatform(platform), offered])
  if (!isConfigType(config.mediaType)) throw missing('')
  if (config.size > configLimit) throw registryErrors.manifestTooLarge([config.digest, configLimit])
  const bytes = Buffer.concat(await Array.fromAsync(source.openBlob(config, { signal })))
  const own: Platform = parseImageConfig(bytes, config.digest)
  if (!platformMatches(own, platform)) throw missing(formatPlatform(own))
}

class Planner {
  readonly manifests = new Map<string, Planned>()
  readonly companions = new Map<string, Companion[]>()
  readonly #source: Source
  readonly #options: PlanOptions
  #bytes = 0
  /** Whether indexes are taken with all that they list. */
  #whole: boolean

  constructor(source: Source, options: PlanOptions) {
    this.#source = source
    this.#options = options
    this.#whole = options.platform === undefined || options.keepIndex !== true
  }

  /** Adds all manifests below one, children first, each once. */
  async addTree(root: FetchedManifest): Promise<void> {
    await this.#visit(root, 0, root.descriptor.digest)
  }

  /** Adds what refers to the planned manifests, and to that in turn. */
  async addReferrers(): Promise<void> {
    const source = this.#source
    const { signal } = this.#options
    this.#whole = true
    const queue = [...this.manifests.values()].map(({ manifest }) => manifest.descriptor)
    for (let subject = queue.shift(); subject !== undefined; subject = queue.shift()) {
      const found: FetchedManifest[] = []
      for await (const referrer of source.referrers?.(subject, { signal }) ?? [])
        if (!this.manifests.has(referrer.digest)) found.push(await source.fetchManifest(referrer, { signal }))
      for await (const { companion, manifest } of source.companions?.(subject, { signal }) ?? []) {
        const { digest } = manifest.descriptor
        this.companions.set(digest, [...(this.companions.get(digest) ?? []), companion])
        found.push(manifest)
      }
      for (const manifest of found) {
        if (this.manifests.has(manifest.descriptor.digest)) continue
        const known = new Set(this.manifests.keys())
        await this.addTree(manifest)
        for (const [digest, planned] of this.manifests) if (!known.has(digest)) queue.push(planned.manifest.descriptor)
      }
    }
  }

  async #visit(manifest: FetchedManifest, depth: number, what: Digest): Promise<void> {
    const { digest, mediaType } = manifest.descriptor
    const { indexDepth = usualDepth } = this.#options
    if (this.manifests.has(digest)) return
    if (depth > indexDepth) throw registryErrors.indexTooDeep([what, indexDepth])
    this.#bytes += manifest.bytes.length
    if (this.#bytes > documentsLimit) throw registryErrors.manifestTooLarge([`everything in ${what}`, documentsLimit])
    const document = parseManifest(manifest.bytes, mediaType, digest)
    const blobs =
      document.kind === 'manifest'
        ? blobsOf(document.manifest).filter((blob) => this.#takes(blob))
        : await this.#visitChildren(document.index.manifests, depth, what)
    this.manifests.set(digest, { manifest, blobs })
  }

  /** @returns the entries that are no manifests */
  async #visitChildren(manifests: readonly Descriptor[], depth: number, what: Digest): Promise<Descriptor[]> {
    const { platform, signal } = this.#options
    const wanted = this.#whole ? manifests : [choose(manifests, platform!, what)]
    const blobs: Descriptor[] = []
    for (const child of wanted) {
      const { mediaType, digest } = child
      if (isObsoleteManifestType(mediaType)) throw registryErrors.mediaTypeUnsupported([digest, mediaType])
      if (!isIndexType(mediaType) && !isManifestType(mediaType)) blobs.push(child)
      else if (!this.manifests.has(digest))
        await this.#visit(await this.#source.fetchManifest(child, { signal }), depth + 1, what)
    }
    return blobs
  }

  /** Foreign layers stay where their URLs lead to, unless asked for; registries may not be allowed to have them. */
  #takes({ mediaType, urls }: Descriptor): boolean {
    return this.#options.nondistributable === true || !(isForeignLayerType(mediaType) && urls?.length)
  }
}
