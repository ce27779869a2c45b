/** Reads images from anywhere they can be read: a registry, an OCI layout, an archive, the local store. */
import { text } from 'node:stream/consumers'
import {
  type Descriptor,
  type FetchedManifest,
  fetchForPlatform,
  formatPlatform,
  type ImageConfig,
  type Manifest,
  mediaTypes,
  parseImageConfig,
  parseManifest,
  parsePlatform,
  registryErrors,
  type Source,
} from '@tsbuild/registry-client'
import type { InspectedImage, Inspection } from './render-inspection.ts'

/**
 * The manifest or index of a name; with a platform, the manifest of that platform.
 *
 * @throws RegistryError NOT_FOUND, PLATFORM_INVALID, PLATFORM_NOT_FOUND
 */
export async function readManifest(
  source: Source,
  reference: string,
  platform: string | undefined,
  signal: AbortSignal,
): Promise<FetchedManifest> {
  return platform === undefined
    ? await source.fetchManifest(reference, { signal })
    : await fetchForPlatform(source, reference, parsePlatform(platform), { signal })
}

/** A manifest or index with the configs of the images that it leads to; attestations are left out. */
export async function inspectImage(
  source: Source,
  name: string,
  fetched: FetchedManifest,
  signal: AbortSignal,
): Promise<Inspection> {
  const document = parseManifest(fetched.bytes, fetched.descriptor.mediaType, fetched.descriptor.digest)
  const images: InspectedImage[] = []
  if (document.kind === 'manifest') images.push(await inspectOne(source, fetched.descriptor, document.manifest, signal))
  else {
    for (const entry of document.index.manifests) {
      if (entry.platform?.os === 'unknown') continue
      const inner = await fetchPresent(source, entry, signal)
      if (inner === undefined) continue
      const parsed = parseManifest(inner.bytes, inner.descriptor.mediaType, inner.descriptor.digest)
      if (parsed.kind === 'manifest') images.push(await inspectOne(source, entry, parsed.manifest, signal))
    }
  }
  const { digest, mediaType } = fetched.descriptor
  return { name, digest, mediaType, bytes: fetched.bytes, images }
}

/** An entry of an index; undefined when the local store has only other platforms of the image. */
async function fetchPresent(
  source: Source,
  entry: Descriptor,
  signal: AbortSignal,
): Promise<FetchedManifest | undefined> {
  try {
    return await source.fetchManifest(entry, { signal })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'BLOB_MISSING') return undefined
    throw error
  }
}

async function inspectOne(
  source: Source,
  descriptor: Descriptor,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<InspectedImage> {
  const config = await readConfig(source, manifest.config, signal)
  const platform = descriptor.platform ?? config
  return {
    platform: platform ? formatPlatform(platform) : '',
    digest: descriptor.digest,
    id: manifest.config.digest,
    ...(config ? { config } : {}),
    layers: manifest.layers,
  }
}

/** Largest config that is read, in bytes. */
const MAX_CONFIG = 4 << 20
const CONFIG_TYPES: ReadonlySet<string> = new Set([mediaTypes.ociConfig, mediaTypes.dockerConfig])

/** The config of an image; artifacts have others, which are not shown. */
async function readConfig(source: Source, config: Descriptor, signal: AbortSignal): Promise<ImageConfig | undefined> {
  if (!CONFIG_TYPES.has(config.mediaType)) return undefined
  if (config.size > MAX_CONFIG) throw registryErrors.manifestTooLarge([config.digest, MAX_CONFIG])
  const bytes = Buffer.from(await text(source.openBlob(config, { signal })))
  return parseImageConfig(bytes, config.digest)
}
