/**
 * The checked parsing of the image-spec's documents.
 *
 * Documents come from outside: parsing checks every field that the rest of the program relies on, so that a digest is
 * a digest and a size a safe, non-negative integer. Unknown fields are kept.
 */
import { imageConfigSchema, manifestSchema } from './document-schemas.ts'
import { registryErrors } from './errors.ts'
import type { Descriptor, ImageConfig, Index, Manifest } from './image-spec.ts'
import {
  bareMediaType,
  isIndexType,
  isManifestType,
  isObsoleteManifestType,
  isSchema1Type,
  mediaTypes,
} from './media-types.ts'
import { anything, object, parseDocument, SchemaProblem } from './schema.ts'

export type * from './image-spec.ts'

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
  const raw = read(what, () => parseDocument(bytes, versioned))
  const own = typeof raw.mediaType === 'string' ? raw.mediaType : ''
  const served = bareMediaType(mediaType)
  const known = isIndexType(served) || isManifestType(served) || isSchema1Type(served)
  if (raw.schemaVersion === 1 || isSchema1Type(served) || isSchema1Type(own)) {
    throw registryErrors.mediaTypeUnsupported([what, mediaTypes.dockerSchema1])
  }
  // These have no schemaVersion at all.
  if (isObsoleteManifestType(own)) throw registryErrors.mediaTypeUnsupported([what, own])
  if (isObsoleteManifestType(served)) throw registryErrors.mediaTypeUnsupported([what, served])
  if (raw.schemaVersion !== 2) throw fail('schemaVersion is not 2')
  const document = read(what, () => manifestSchema(raw, ''))
  if (known && own !== '' && own !== served) throw fail(`its mediaType ${own} differs from its Content-Type ${served}`)
  // An image manifest that also has "manifests" reads differently for different clients (CVE-2021-41190).
  const hasManifests = document.manifests !== undefined
  const hasLayers = document.layers !== undefined || document.config !== undefined
  if (hasManifests && hasLayers) throw fail('it is both an image manifest and an index')
  const type = known ? served : own !== '' ? own : hasManifests ? mediaTypes.ociIndex : mediaTypes.ociManifest
  if (isIndexType(type)) {
    const { manifests = [] } = document
    return { kind: 'index', mediaType: type, index: { ...document, schemaVersion: 2, manifests } }
  }
  if (!isManifestType(type)) throw registryErrors.mediaTypeUnsupported([what, type])
  const { config, layers = [] } = document
  if (config === undefined) throw fail('config is not a descriptor')
  return { kind: 'manifest', mediaType: type, manifest: { ...document, schemaVersion: 2, config, layers } }
}

/**
 * Parses an image config. What it leaves out of the platform is that of most images.
 *
 * @param what its digest or name, for the message
 * @throws RegistryError MANIFEST_INVALID
 */
export function parseImageConfig(bytes: Uint8Array, what = ''): ImageConfig {
  const {
    os = 'linux',
    architecture = 'amd64',
    rootfs,
    ...document
  } = read(what, () => parseDocument(bytes, imageConfigSchema), 'image config')
  return { ...document, os, architecture, rootfs: { type: 'layers', diff_ids: rootfs?.diff_ids ?? [] } }
}

/** What tells which kind of document it is. */
const versioned = object<{ readonly schemaVersion?: unknown; readonly mediaType?: unknown }>({
  schemaVersion: anything,
  mediaType: anything,
})

function read<T>(what: string, parse: () => T, kind = 'manifest'): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof SchemaProblem)) throw error
    throw registryErrors.manifestInvalid([what, error.message, kind])
  }
}

/** All blobs that a manifest refers to: its config, then its layers, each digest once. */
export function blobsOf(manifest: Manifest): Descriptor[] {
  const seen = new Map<string, Descriptor>()
  for (const descriptor of [manifest.config, ...manifest.layers]) {
    if (!seen.has(descriptor.digest)) seen.set(descriptor.digest, descriptor)
  }
  return [...seen.values()]
}
