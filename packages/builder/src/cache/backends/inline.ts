/**
 * `type=inline`: the cache is in the image's config, and its layers are the image's own. It is read with `type=registry`
 * (or `type=local`) that names the image.
 */
import {
  type Descriptor,
  type Index,
  type Manifest,
  parseManifest,
  type Source,
  schema,
} from '@tsbuild/registry-client'
import { exportAttributes } from '../attributes.ts'
import type { CacheBackend } from '../backend.ts'
import type { DocumentCodec } from '../codec.ts'
import { type CacheDocument, serializeDocument, withLayers } from '../document.ts'
import { readBlob } from './read-blob.ts'

/** Where the document stands in a config. */
const INLINE_KEY = 'dev.tsbuild.cache.v1'
/** Where BuildKit's stands. */
const BUILDKIT_KEY = 'moby.buildkit.cache.v0'
const MAX_CONFIG_BYTES = 32 << 20
/** Images of one index that are looked into. */
const MAX_IMAGES = 100

export const inlineBackend: CacheBackend = {
  from: undefined,
  to(values) {
    const { common } = exportAttributes('inline', values, [])
    const warnings = [...common.warnings]
    if (common.mode === 'max')
      warnings.push('--cache-to type=inline: mode=max has no effect: an image has its own layers only')
    if (common.mounts !== undefined)
      warnings.push('--cache-to type=inline: mounts=true has no effect: an image carries no cache mounts')
    return { ...common, warnings, mode: 'min', mounts: undefined, name: 'inline', open: undefined }
  },
}

/** What the config of an image gets that carries a cache. All layers that the document names have to be the image's. */
export function inlineCache(document: CacheDocument): Readonly<Record<string, string>> {
  return { [INLINE_KEY]: serializeDocument(document).toString('base64') }
}

/** What the images at a name carry. */
export interface InlineCaches {
  readonly documents: readonly CacheDocument[]
  readonly foreign: 'buildkit' | undefined
}

/** Reads the caches in an image, or in those of an index. Those that are damaged are left out. */
export async function readInline(
  source: Source,
  root: { readonly manifest: Manifest } | { readonly index: Index },
  signal: AbortSignal,
  codec: DocumentCodec,
): Promise<InlineCaches> {
  const documents: CacheDocument[] = []
  let foreign = false
  for (const manifest of await imagesOf(source, root, signal)) {
    const found = await readImage(source, manifest, signal, codec)
    if (found === 'buildkit') foreign = true
    else if (found !== undefined) documents.push(found)
  }
  return { documents, foreign: foreign && documents.length === 0 ? 'buildkit' : undefined }
}

async function imagesOf(
  source: Source,
  root: { readonly manifest: Manifest } | { readonly index: Index },
  signal: AbortSignal,
): Promise<Manifest[]> {
  if ('manifest' in root) return [root.manifest]
  const images: Manifest[] = []
  const rest: (Descriptor & { readonly depth: number })[] = root.index.manifests.map((d) => ({ ...d, depth: 1 }))
  for (let n = 0; n < rest.length && n < MAX_IMAGES; n++) {
    const { depth, ...descriptor } = rest[n]!
    // Attestations.
    if (descriptor.annotations?.['vnd.docker.reference.type'] !== undefined) continue
    const { bytes } = await source.fetchManifest(descriptor, { signal })
    const parsed = parseManifest(bytes, descriptor.mediaType)
    if (parsed.kind === 'manifest') images.push(parsed.manifest)
    else if (depth < 4) rest.push(...parsed.index.manifests.map((d) => ({ ...d, depth: depth + 1 })))
  }
  return images
}

interface ConfigWithCache {
  readonly rootfs: { readonly diff_ids: readonly string[] } | undefined
  readonly [INLINE_KEY]: string | undefined
  readonly [BUILDKIT_KEY]: unknown
}

const configSchema = schema.object<ConfigWithCache>({
  rootfs: schema.optional(schema.object({ diff_ids: schema.list(schema.digest, 'digests') })),
  [INLINE_KEY]: schema.optional(schema.text),
  [BUILDKIT_KEY]: schema.anything,
})

async function readImage(
  source: Source,
  manifest: Manifest,
  signal: AbortSignal,
  codec: DocumentCodec,
): Promise<CacheDocument | 'buildkit' | undefined> {
  const bytes = await readBlob(source, manifest.config, MAX_CONFIG_BYTES, signal)
  let config: ConfigWithCache
  try {
    config = schema.parseDocument(bytes, configSchema)
  } catch {
    // The config of something else than an image.
    return undefined
  }
  const text = config[INLINE_KEY]
  if (text === undefined) return config[BUILDKIT_KEY] === undefined ? undefined : 'buildkit'
  const document = codec.decode(Buffer.from(text, 'base64'))
  const diffIDs = config.rootfs?.diff_ids ?? []
  const { layers } = manifest
  if (diffIDs.length !== layers.length) return undefined
  const own = new Set(layers.map(({ digest }, n) => `${digest} ${diffIDs[n]}`))
  return withLayers(document, ({ descriptor, diffID }) => own.has(`${descriptor.digest} ${diffID}`))
}
