import { type Descriptor, type OpenContent, onceMore, type Target } from '@tsbuild/registry-client'
import pLimit from 'p-limit'
import type { CacheExport, CacheExporter } from '../backend.ts'
import { blobsOf, type CacheDocument } from '../document.ts'

/** Blobs on their way at the same time. */
const CONCURRENCY = 6

/**
 * Makes sure that a target has the blobs of a document. When one fails the others are stopped, and waited for.
 *
 * @param options as they are given to {@link CacheExporter.save}
 */
export async function sendBlobs(
  target: Pick<Target, 'pushBlob'>,
  document: CacheDocument,
  open: (descriptor: Descriptor) => OpenContent,
  options: Parameters<CacheExporter['save']>[2],
): Promise<Pick<CacheExport, 'sent' | 'present'>> {
  const failure = new AbortController()
  const signal = AbortSignal.any([options.signal, failure.signal])
  const onProgress = ({ descriptor, transferred }: { descriptor: Descriptor; transferred: number }) =>
    options.onProgress(`sending ${descriptor.digest}`, transferred, descriptor.size)
  const sent = { blobs: 0, size: 0 }
  const present = { blobs: 0, size: 0 }
  const limit = pLimit(CONCURRENCY)
  await Promise.allSettled(
    blobsOf(document).map(({ descriptor }) =>
      limit(async () => {
        signal.throwIfAborted()
        const mountFrom = typeof options.mountFrom === 'function' ? options.mountFrom(descriptor) : options.mountFrom
        const how = await onceMore(() =>
          target.pushBlob(descriptor, (offset) => open(descriptor)(offset), { mountFrom, signal, onProgress }),
        )
        const count = how === 'uploaded' ? sent : present
        count.blobs++
        count.size += descriptor.size
      }).catch((error: unknown) => failure.abort(error)),
    ),
  )
  options.signal.throwIfAborted()
  if (failure.signal.aborted) throw failure.signal.reason
  return { sent, present }
}
