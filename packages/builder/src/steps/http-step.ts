/** ADD of a URL: a file in the content store, asked for again with the server's own validators. */
import { type Downloader, fetchHttp, type HttpFile } from '../context/http.ts'
import { hashKey } from '../graph/key.ts'
import type { HttpStep } from '../graph/step.ts'
import { redactUrl } from '../redact.ts'
import type { Store } from '../store/store.ts'
import type { FileResult, StepHandler } from './types.ts'

type Known = Pick<HttpFile, 'digest' | 'size' | 'mtime' | 'etag'>

export interface HttpServices {
  readonly store: Store
  readonly client: Downloader
}

/**
 * Downloads a file into the store, or finds that what is there is still current.
 *
 * @param report bytes so far
 */
export async function downloaded(
  { url, checksum }: { readonly url: string; readonly checksum: string | undefined },
  { store, client }: HttpServices,
  signal: AbortSignal,
  report: (size: number) => void = () => {},
  fresh = false,
): Promise<Known> {
  // URLs may hold credentials, which are written nowhere.
  const key = hashKey('http', url)
  const record = fresh ? undefined : await store.records.get<Known>('http', key)
  const known = record && (await store.blobs.verify(record.digest, signal)) ? record : undefined
  if (known && checksum === known.digest) return known
  const fetched = await fetchHttp(url, {
    signal,
    client,
    checksum,
    validators: checksum === undefined ? known : undefined,
    sink: async (body) => {
      let size = 0
      async function* counted() {
        for await (const chunk of body) {
          size += chunk.length
          report(size)
          yield chunk
        }
      }
      await store.blobs.put(counted(), undefined, signal)
    },
  })
  if (fetched.kind === 'unchanged') return known!
  const { digest, size, mtime, etag } = fetched
  await store.records.put('http', key, { digest, size, mtime, etag }, { blobs: [digest] })
  return fetched
}

export function httpHandler(services: HttpServices): StepHandler<HttpStep> {
  const { store } = services
  return {
    kind: 'http',
    key: async () => undefined,
    async run({ step, signal, progress }): Promise<FileResult> {
      const report = (size: number) => progress(redactUrl(step.url), size, 0)
      const { digest, mtime } = await downloaded(step, services, signal, report, step.noCache)
      return { kind: 'file', digest, path: store.blobs.path(digest), mtime }
    },
  }
}
