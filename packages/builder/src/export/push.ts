/** Pushes built images: layers side by side, then configs, manifests, and the index last. */
import { createReadStream } from 'node:fs'
import { type Digest, parseReference, selfVerifying } from '@tsbuild/registry-client'
import pLimit from 'p-limit'
import type { ContentStore } from '../store/content-store.ts'
import type { BuiltImages, ExportContext } from './exporter.ts'

/** Uploads at the same time. */
const UPLOADS = 4
const MAX_DOCUMENT = 4 * 1024 * 1024

/** @param options `byDigest`: under no tag, as a name with a digest in it is pushed anyway */
export async function pushImage(
  name: string,
  built: BuiltImages,
  context: ExportContext,
  { insecure, byDigest }: { readonly insecure: boolean; readonly byDigest: boolean },
): Promise<void> {
  const { blobs } = context.store
  const { signal, mountFrom } = context
  const repository = context.repository(name, { insecure })
  const { tag, digest: fixed } = parseReference(name)
  const tags = byDigest || fixed !== undefined ? [] : [tag ?? 'latest']
  const limit = pLimit(UPLOADS)
  const wanted = new Map(built.images.flatMap((i) => [...i.layers, i.config]).map((d) => [d.digest, d]))
  await Promise.all(
    [...wanted.values()].map((descriptor) =>
      limit(() =>
        repository.pushBlob(descriptor, (offset) => contentFrom(blobs, descriptor.digest, offset, signal), {
          signal,
          mountFrom,
          onProgress: ({ transferred }) =>
            context.progress(`pushing ${descriptor.digest}`, transferred, descriptor.size),
        }),
      ),
    ),
  )
  const several = built.descriptor.digest !== built.images[0]?.manifest.digest
  for (const { manifest } of built.images)
    await repository.pushManifest(await blobs.read(manifest.digest, MAX_DOCUMENT), manifest.mediaType, {
      signal,
      ...(several ? {} : { tags }),
    })
  if (several) {
    const { digest, mediaType } = built.descriptor
    await repository.pushManifest(await blobs.read(digest, MAX_DOCUMENT), mediaType, { signal, tags })
  }
}

/** A blob from a byte on; only a whole read can be verified, and the registry verifies what a resumed one completes. */
function contentFrom(blobs: ContentStore, digest: Digest, offset: number, signal: AbortSignal): AsyncIterable<Buffer> {
  return offset === 0
    ? selfVerifying(blobs.open(digest, signal), digest)
    : createReadStream(blobs.path(digest), { start: offset, signal })
}
