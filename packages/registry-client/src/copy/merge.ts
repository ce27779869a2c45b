/**
 * Joins images that were built one by one, each on a machine of its own, into one index for several platforms.
 */
import type { CallOptions, Source, Target } from '../model/content.ts'
import { type Descriptor, parseImageConfig, parseManifest } from '../model/descriptor.ts'
import { registryErrors } from '../model/errors.ts'
import { bareMediaType, isConfigType, mediaTypes } from '../model/media-types.ts'
import { formatPlatform, normalizePlatform, type Platform } from '../model/platform.ts'
import { Repository } from '../registry/repository.ts'
import { copy } from './copy.ts'

/** Bytes of a config that is read for its platform. */
const configLimit = 4 << 20

/** An image, or an index of some. */
export interface MergeSource {
  readonly source: Source
  /** A name or digest in it. */
  readonly reference: string
}

export interface MergeOptions extends CallOptions {
  /** Annotations of the index. */
  readonly annotations?: Readonly<Record<string, string>> | undefined
}

/** What {@link mergeImages} has made. */
export interface MergeResult {
  /** Of the index. */
  readonly descriptor: Descriptor
  /** What it lists. */
  readonly manifests: readonly Descriptor[]
}

/**
 * Pushes an index of all images that the sources name, in their order, and gives it names. Of a source that is an index
 * itself, what it lists is taken: images of several platforms, attestations. What the target does not have is copied
 * first; nothing is named before all is there.
 *
 * @throws RegistryError PLATFORM_TWICE, and what source and target throw
 */
export async function mergeImages(
  sources: readonly MergeSource[],
  target: Target,
  tags: readonly string[],
  options: MergeOptions = {},
): Promise<MergeResult> {
  const { annotations = {}, signal } = options
  const found = new Map<string, { readonly source: Source; readonly descriptor: Descriptor }>()
  for (const { source, reference } of sources) {
    for (const descriptor of await imagesOf(source, reference, options)) {
      if (!found.has(descriptor.digest)) found.set(descriptor.digest, { source, descriptor })
    }
  }
  const manifests = [...found.values()].map(({ descriptor }) => descriptor)
  refuseDoubles(manifests)
  for (const { source, descriptor } of found.values()) {
    if (!isSamePlace(source, target)) await copy(source, descriptor, target, [], { signal })
  }
  const docker = manifests.length > 0 && manifests.every(({ mediaType }) => mediaType === mediaTypes.dockerManifest)
  const mediaType = docker ? mediaTypes.dockerIndex : mediaTypes.ociIndex
  const noted = Object.keys(annotations).length > 0 ? { annotations } : {}
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests, ...noted }, undefined, 2))
  return { descriptor: await target.pushManifest(bytes, mediaType, { tags, signal }), manifests }
}

/** The images of a name, as an index lists them. */
async function imagesOf(source: Source, reference: string, { signal }: CallOptions): Promise<readonly Descriptor[]> {
  const { descriptor, bytes } = await source.fetchManifest(reference, { signal })
  const document = parseManifest(bytes, descriptor.mediaType, reference)
  if (document.kind === 'index') return document.index.manifests
  const { config } = document.manifest
  const platform = isConfigType(config.mediaType) ? await platformOf(source, config, { signal }) : undefined
  const { digest, size } = descriptor
  return [{ mediaType: bareMediaType(descriptor.mediaType), digest, size, ...(platform ? { platform } : {}) }]
}

async function platformOf(source: Source, config: Descriptor, { signal }: CallOptions): Promise<Platform> {
  if (config.size > configLimit) throw registryErrors.manifestTooLarge([config.digest, configLimit])
  const chunks: Buffer[] = []
  for await (const chunk of source.openBlob(config, { signal })) chunks.push(chunk)
  const { os, architecture, variant, ...rest } = parseImageConfig(Buffer.concat(chunks), config.digest)
  const version = rest['os.version']
  const features = rest['os.features']
  return {
    architecture,
    os,
    ...(variant ? { variant } : {}),
    ...(version ? { 'os.version': version } : {}),
    ...(features?.length ? { 'os.features': features } : {}),
  }
}

/** Whoever pulls would get one of the two, and never learn of the other. */
function refuseDoubles(manifests: readonly Descriptor[]): void {
  const seen = new Map<string, string>()
  for (const { platform, digest } of manifests) {
    if (platform === undefined || platform.os === 'unknown') continue
    const name = `${formatPlatform(normalizePlatform(platform))} ${platform['os.version'] ?? ''}`.trim()
    const other = seen.get(name)
    if (other !== undefined) throw registryErrors.platformTwice([name, other, digest])
    seen.set(name, digest)
  }
}

function isSamePlace(source: Source, target: Target): boolean {
  if (source === (target as unknown)) return true
  return source instanceof Repository && target instanceof Repository && source.name === target.name
}
