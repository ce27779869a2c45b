/**
 * From layers and a planned config to an image in the content store: config, manifest and, for several platforms or
 * attestations, an index. Nothing here knows how layers are made or where the image goes.
 */
import { type Descriptor, digestOf, mediaTypes, type Platform } from '@tsbuild/registry-client'
import type { ImageConfig } from '../graph/image-config.ts'
import type { Layer } from '../graph/layer.ts'
import type { ContentStore } from '../store/content-store.ts'
import { type ConfigTimes, completeConfig, serializeConfig } from './config.ts'

/** What {@link assembleImage} makes an image of. */
export interface ImageParts {
  readonly platform: Platform
  readonly image: ImageConfig
  /** Members of the config that the image-spec does not know. */
  readonly extra: Readonly<Record<string, string>>
  readonly layers: readonly Layer[]
  readonly times: ConfigTimes
  /** What made each layer, for layers that the history does not speak of. */
  readonly descriptions: readonly string[]
  readonly annotations: Readonly<Record<string, string>>
  /** Of the descriptor that points at the manifest. */
  readonly descriptorAnnotations: Readonly<Record<string, string>>
  /** Which names the documents use for their types. */
  readonly format: 'oci' | 'docker'
}

/** An image whose config and manifest are in the store. */
export interface AssembledImage {
  readonly platform: Platform
  readonly manifest: Descriptor
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly diffIDs: readonly string[]
  readonly created: string
}

const DOCKER_LAYER = new Map<string, string>([
  [mediaTypes.ociLayer, mediaTypes.dockerLayer],
  [mediaTypes.ociLayerGzip, mediaTypes.dockerLayerGzip],
  [mediaTypes.ociLayerZstd, mediaTypes.dockerLayerZstd],
])
const OCI_LAYER = new Map([...DOCKER_LAYER].map(([oci, docker]) => [docker, oci]))

/** Writes config and manifest of one platform's image. */
export async function assembleImage(parts: ImageParts, blobs: ContentStore): Promise<AssembledImage> {
  const docker = parts.format === 'docker'
  const complete = completeConfig(
    parts.image,
    parts.layers.map((l) => l.diffID),
    parts.times,
    parts.descriptions,
  )
  const config = document(
    serializeConfig({ ...complete, ...parts.extra }),
    docker ? mediaTypes.dockerConfig : mediaTypes.ociConfig,
  )
  const layers = parts.layers.map(({ descriptor }) => ({
    ...descriptor,
    mediaType: (docker ? DOCKER_LAYER : OCI_LAYER).get(descriptor.mediaType) ?? descriptor.mediaType,
  }))
  const mediaType = docker ? mediaTypes.dockerManifest : mediaTypes.ociManifest
  const annotations = annotationsMember(parts.annotations)
  const manifest = document(
    jsonBytes({ schemaVersion: 2, mediaType, config: config.descriptor, layers, ...annotations }),
    mediaType,
  )
  await Promise.all([config, manifest].map(({ bytes, descriptor }) => blobs.put(bytes, descriptor)))
  return {
    platform: parts.platform,
    manifest: {
      ...manifest.descriptor,
      platform: parts.platform,
      ...annotationsMember(parts.descriptorAnnotations),
    },
    config: config.descriptor,
    layers,
    diffIDs: complete.rootfs.diff_ids,
    created: complete.created!,
  }
}

/** Writes an index over manifests. */
export async function assembleIndex(
  manifests: readonly Descriptor[],
  format: 'oci' | 'docker',
  annotations: Readonly<Record<string, string>>,
  blobs: ContentStore,
): Promise<Descriptor> {
  const mediaType = format === 'docker' ? mediaTypes.dockerIndex : mediaTypes.ociIndex
  const noted = annotationsMember(annotations)
  return await putJson(blobs, jsonBytes({ schemaVersion: 2, mediaType, manifests, ...noted }), mediaType)
}

function annotationsMember(annotations: Readonly<Record<string, string>>): Pick<Descriptor, 'annotations'> {
  return Object.keys(annotations).length > 0 ? { annotations } : {}
}

interface Document {
  readonly bytes: Buffer
  readonly descriptor: Descriptor
}

function document(bytes: Buffer, mediaType: string): Document {
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } }
}

/** Stores a document as a blob. */
async function putJson(blobs: ContentStore, bytes: Buffer, mediaType: string): Promise<Descriptor> {
  const { descriptor } = document(bytes, mediaType)
  await blobs.put(bytes, descriptor)
  return descriptor
}

/** Documents are indented like the reference's, so that people can read them. */
function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value, undefined, 2))
}
