/**
 * A cache as an image: a manifest whose config is the document and whose layers are the document's, so that registries
 * and layouts keep them. The other form, an index of the same, is for registries that want no configs of unknown types.
 */
import {
  type Descriptor,
  isRegistryError,
  mediaTypes,
  parseManifest,
  type Source,
  schema,
} from '@tsbuild/registry-client'
import type { AttributeReader } from '../../util/attributes.ts'
import { DOCUMENT_TYPES, type DocumentCodec } from '../codec.ts'
import { blobsOf, type CacheDocument, EMPTY_DOCUMENT, MAX_DOCUMENT_BYTES, withBlobs } from '../document.ts'
import { type InlineCaches, readInline } from './inline.ts'
import { readBlob } from './read-blob.ts'

/** BuildKit's counterpart of {@link DOCUMENT_TYPES}. */
const BUILDKIT_MEDIA_TYPE = 'application/vnd.buildkit.cacheconfig.v0'

export const FORM_ATTRIBUTES = ['image-manifest', 'oci-mediatypes'] as const

/** How a cache is written. */
export interface ImageForm {
  readonly type: 'manifest' | 'index'
  readonly mediaType: string
}

/** An index if a manifest is not wanted, or only docker's types are. */
export function formOf(attrs: AttributeReader<(typeof FORM_ATTRIBUTES)[number]>): ImageForm {
  const oci = attrs.flag('oci-mediatypes', true)
  const manifest = attrs.flag('image-manifest', oci)
  if (manifest && !oci) attrs.fail('image-manifest=true needs oci-mediatypes=true')
  if (manifest) return { type: 'manifest', mediaType: mediaTypes.ociManifest }
  return { type: 'index', mediaType: oci ? mediaTypes.ociIndex : mediaTypes.dockerIndex }
}

/** The manifest of a document whose bytes are the blob `config`. */
export function writeForm({ type, mediaType }: ImageForm, document: CacheDocument, config: Descriptor): Buffer {
  const layers = blobsOf(document).map(({ descriptor, diffID }) => ({
    ...descriptor,
    // As BuildKit has it, and what looks at caches reads.
    ...(diffID !== undefined && { annotations: { 'containerd.io/uncompressed': diffID } }),
  }))
  const content = type === 'manifest' ? { config, layers } : { manifests: [...layers, config] }
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }))
}

/** What stands at a name. */
export type Found =
  | { readonly kind: 'nothing' }
  | {
      readonly kind: 'cache'
      /** Of its manifest. */
      readonly digest: string
      readonly document: CacheDocument
      /** Of the blob that should be the document, and is not. */
      readonly damaged: string | undefined
    }
  | { readonly kind: 'buildkit' }
  | { readonly kind: 'image'; readonly root: Parameters<typeof readInline>[1] }

/** @param damaged what becomes of a document that is not there, or none: an error, or as if there were nothing in it */
export async function readForm(
  source: Source,
  reference: string,
  signal: AbortSignal,
  damaged: 'fail' | 'empty',
  codec: DocumentCodec,
): Promise<Found> {
  const fetched = await source.fetchManifest(reference, { signal }).catch((error: unknown) => {
    if (isRegistryError(error, 'NOT_FOUND')) return undefined
    throw error
  })
  if (fetched === undefined) return { kind: 'nothing' }
  const root = parseManifest(fetched.bytes, fetched.descriptor.mediaType, reference)
  const configs = root.kind === 'index' ? root.index.manifests : [root.manifest.config]
  const config = configs.find(({ mediaType }) => DOCUMENT_TYPES.includes(mediaType))
  if (config === undefined) {
    if (configs.some(({ mediaType }) => mediaType === BUILDKIT_MEDIA_TYPE)) return { kind: 'buildkit' }
    return { kind: 'image', root }
  }
  const kept = new Set<string>(
    (root.kind === 'index' ? root.index.manifests : root.manifest.layers).map(({ digest }) => digest),
  )
  try {
    const document = codec.decode(await readBlob(source, config, MAX_DOCUMENT_BYTES, signal))
    return {
      kind: 'cache',
      digest: fetched.descriptor.digest,
      document: withBlobs(document, (digest) => kept.has(digest)),
      damaged: undefined,
    }
  } catch (error) {
    const isDamage =
      error instanceof schema.SchemaProblem ||
      isRegistryError(error, 'NOT_FOUND', 'DIGEST_MISMATCH', 'SIZE_MISMATCH', 'MANIFEST_TOO_LARGE')
    if (damaged === 'fail' || !isDamage || signal.aborted) throw error
    return { kind: 'cache', digest: fetched.descriptor.digest, document: EMPTY_DOCUMENT, damaged: config.digest }
  }
}

/** What an importer says of a name. */
export async function readCaches(
  source: Source,
  reference: string,
  signal: AbortSignal,
  codec: DocumentCodec,
): Promise<InlineCaches> {
  const found = await readForm(source, reference, signal, 'fail', codec)
  if (found.kind === 'nothing') return { documents: [], foreign: undefined }
  if (found.kind === 'buildkit') return { documents: [], foreign: 'buildkit' }
  if (found.kind === 'cache') return { documents: [found.document], foreign: undefined }
  return await readInline(source, found.root, signal, codec)
}
