/**
 * The documents of the image-spec: descriptors, manifests, indexes and image configs, and their checked parsing.
 *
 * Documents come from outside: parsing checks every field that the rest of the package relies on, so that a digest is
 * a digest and a size a safe, non-negative integer. Unknown fields are kept.
 */
import { type Digest, isDigest } from './digest.ts'
import { registryErrors } from './errors.ts'
import {
  bareMediaType,
  isIndexType,
  isManifestType,
  isObsoleteManifestType,
  isSchema1Type,
  mediaTypes,
} from './media-types.ts'
import type { Platform } from './platform.ts'

/** image-spec "Content Descriptors". Sizes are bytes of the content as it is stored. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
  readonly platform?: Platform
  readonly annotations?: Readonly<Record<string, string>>
  readonly artifactType?: string
  /** Where else the content may be had; followed only for foreign layers and only when allowed. */
  readonly urls?: readonly string[]
  /** The content itself, base64. */
  readonly data?: string
}

/** image-spec "Image Manifest", or Docker's schema 2, which has the same shape. */
export interface Manifest {
  readonly schemaVersion: 2
  readonly mediaType?: string
  readonly artifactType?: string
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly annotations?: Readonly<Record<string, string>>
}

/** image-spec "Image Index", or Docker's manifest list. */
export interface Index {
  readonly schemaVersion: 2
  readonly mediaType?: string
  readonly artifactType?: string
  readonly manifests: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly annotations?: Readonly<Record<string, string>>
}

/** One line of an image's history. */
export interface HistoryEntry {
  readonly created?: string
  readonly created_by?: string
  readonly author?: string
  readonly comment?: string
  readonly empty_layer?: boolean
}

/** Docker's health check; durations in nanoseconds. */
export interface Healthcheck {
  readonly Test?: readonly string[]
  readonly Interval?: number
  readonly Timeout?: number
  readonly StartPeriod?: number
  readonly StartInterval?: number
  readonly Retries?: number
}

/** What a container of the image runs with (image-spec "Image Configuration": config). */
export interface ContainerConfig {
  readonly User?: string
  readonly ExposedPorts?: Readonly<Record<string, object>>
  readonly Env?: readonly string[]
  readonly Entrypoint?: readonly string[] | null
  readonly Cmd?: readonly string[] | null
  readonly Volumes?: Readonly<Record<string, object>>
  readonly WorkingDir?: string
  readonly Labels?: Readonly<Record<string, string>>
  readonly StopSignal?: string
  readonly ArgsEscaped?: boolean
  readonly Healthcheck?: Healthcheck
  readonly OnBuild?: readonly string[] | null
  readonly Shell?: readonly string[]
}

/** image-spec "Image Configuration" with Docker's extensions. */
export interface ImageConfig {
  readonly created?: string
  readonly author?: string
  readonly architecture: string
  readonly os: string
  readonly variant?: string
  readonly 'os.version'?: string
  readonly 'os.features'?: readonly string[]
  readonly config?: ContainerConfig
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly Digest[] }
  readonly history?: readonly HistoryEntry[]
}

/** A parsed manifest document of either kind, with the media type it was served or stored under. */
export type ManifestDocument =
  | { readonly kind: 'manifest'; readonly mediaType: string; readonly manifest: Manifest }
  | { readonly kind: 'index'; readonly mediaType: string; readonly index: Index }

/**
 * Parses a manifest or index.
 *
 * @param mediaType what it was served as; parameters are ignored. Without it the document's own `mediaType` decides,
 *   and without that its shape.
 * @param what names the document in errors
 * @throws RegistryError MANIFEST_INVALID, MEDIA_TYPE_UNSUPPORTED
 */
export function parseManifest(bytes: Uint8Array, mediaType?: string, what = 'manifest'): ManifestDocument {
  const fail = (why: string) => registryErrors.manifestInvalid([what, why])
  const document = parseObject(bytes, what)
  const own = typeof document.mediaType === 'string' ? document.mediaType : ''
  const served = bareMediaType(mediaType)
  const known = isIndexType(served) || isManifestType(served) || isSchema1Type(served)
  if (document.schemaVersion === 1 || isSchema1Type(served) || isSchema1Type(own)) {
    throw registryErrors.mediaTypeUnsupported([what, mediaTypes.dockerSchema1])
  }
  // These have no schemaVersion at all.
  if (isObsoleteManifestType(own)) throw registryErrors.mediaTypeUnsupported([what, own])
  if (isObsoleteManifestType(served)) throw registryErrors.mediaTypeUnsupported([what, served])
  if (document.schemaVersion !== 2) throw fail('schemaVersion is not 2')
  if (known && own !== '' && own !== served) throw fail(`its mediaType ${own} differs from its Content-Type ${served}`)
  // An image manifest that also has "manifests" reads differently for different clients (CVE-2021-41190).
  const hasManifests = document.manifests !== undefined
  const hasLayers = document.layers !== undefined || document.config !== undefined
  if (hasManifests && hasLayers) throw fail('it is both an image manifest and an index')
  const type = known ? served : own !== '' ? own : hasManifests ? mediaTypes.ociIndex : mediaTypes.ociManifest
  checkOptional(document, fail)
  if (isIndexType(type)) {
    const manifests = document.manifests ?? []
    if (!Array.isArray(manifests)) throw fail('manifests is not a list')
    const index = {
      ...document,
      schemaVersion: 2,
      manifests: manifests.map((d, i) => checkDescriptor(d, `manifests[${i}]`, fail)),
    }
    return { kind: 'index', mediaType: type, index: index as Index }
  }
  if (!isManifestType(type)) throw registryErrors.mediaTypeUnsupported([what, type])
  const config = checkDescriptor(document.config, 'config', fail)
  const layers = document.layers ?? []
  if (!Array.isArray(layers)) throw fail('layers is not a list')
  const manifest = {
    ...document,
    schemaVersion: 2,
    config,
    layers: layers.map((d, i) => checkDescriptor(d, `layers[${i}]`, fail)),
  }
  return { kind: 'manifest', mediaType: type, manifest: manifest as unknown as Manifest }
}

/**
 * Parses an image config: `rootfs.diff_ids` are digests, `os` and `architecture` are texts.
 *
 * @throws RegistryError MANIFEST_INVALID
 */
export function parseImageConfig(bytes: Uint8Array, what = 'image config'): ImageConfig {
  const fail = (why: string) => registryErrors.manifestInvalid([what, why])
  const document = parseObject(bytes, what)
  for (const key of ['os', 'architecture']) {
    if (document[key] !== undefined && typeof document[key] !== 'string') throw fail(`${key} is not a text`)
  }
  const rootfs = document.rootfs ?? { type: 'layers', diff_ids: [] }
  if (!isObject(rootfs)) throw fail('rootfs is not an object')
  const diffIds = rootfs.diff_ids ?? []
  if (!Array.isArray(diffIds) || !diffIds.every(isDigest)) throw fail('rootfs.diff_ids is not a list of digests')
  const config = { os: 'linux', architecture: 'amd64', ...document, rootfs: { type: 'layers', diff_ids: diffIds } }
  return config as ImageConfig
}

/** All blobs that a manifest refers to: its config, then its layers, each digest once. */
export function blobsOf(manifest: Manifest): Descriptor[] {
  const seen = new Map<string, Descriptor>()
  for (const descriptor of [manifest.config, ...manifest.layers]) {
    if (!seen.has(descriptor.digest)) seen.set(descriptor.digest, descriptor)
  }
  return [...seen.values()]
}

function parseObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw registryErrors.manifestInvalid([what, 'not valid JSON'], { cause })
  }
  if (!isObject(value)) throw registryErrors.manifestInvalid([what, 'not a JSON object'])
  return value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

type Fail = (why: string) => Error

function checkOptional(document: Record<string, unknown>, fail: Fail): void {
  if (document.subject !== undefined && document.subject !== null) checkDescriptor(document.subject, 'subject', fail)
  if (document.annotations !== undefined && document.annotations !== null && !isObject(document.annotations)) {
    throw fail('annotations is not an object')
  }
}

/**
 * Checks one descriptor from outside and returns it without its null fields, which Go programs write for absent ones.
 *
 * @param where names it in the error that `fail` makes
 */
export function checkDescriptor(value: unknown, where: string, fail: (why: string) => Error): Descriptor {
  if (!isObject(value)) throw fail(`${where} is not a descriptor`)
  const { mediaType, digest, size, platform, urls } = value
  if (!isDigest(digest)) throw fail(`${where} has an invalid digest ${JSON.stringify(String(digest).slice(0, 160))}`)
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw fail(`${where} has an invalid size ${JSON.stringify(size)}`)
  }
  if (typeof mediaType !== 'string') throw fail(`${where} has no mediaType`)
  if (platform !== undefined && platform !== null && !isPlatform(platform)) {
    throw fail(`${where} has an invalid platform`)
  }
  if (urls !== undefined && urls !== null && !(Array.isArray(urls) && urls.every((url) => typeof url === 'string'))) {
    throw fail(`${where} has invalid urls`)
  }
  const fields = Object.entries(value).filter(([, field]) => field !== null)
  return Object.fromEntries(fields) as unknown as Descriptor
}

function isPlatform(value: unknown): boolean {
  if (!isObject(value)) return false
  const features = value['os.features'] ?? []
  return (
    typeof value.os === 'string' &&
    typeof value.architecture === 'string' &&
    ['string', 'undefined'].includes(typeof value.variant) &&
    ['string', 'undefined'].includes(typeof value['os.version']) &&
    Array.isArray(features) &&
    features.every((feature) => typeof feature === 'string')
  )
}
