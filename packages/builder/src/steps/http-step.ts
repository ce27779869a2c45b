/** ADD of a URL: a file in the content store, asked for again with the server's own validators. */
import { fetchHttp, type HttpFile } from '../context/http.ts'
import { hashKey } from '../graph/key.ts'
import type { HttpStep } from '../graph/step.ts'
import type { Store } from '../store/store.ts'
import { redactUrl } from '../util/git-url.ts'
import type { FileResult, StepHandler } from './types.ts'

type Known = Pick<HttpFile, 'digest' | 'size' | 'mtime' | 'etag' | 'lastModified'>

export function httpHandler({ store }: { store: Store }): StepHandler<HttpStep> {
  const result = ({ digest, mtime }: Known): FileResult => ({
    kind: 'file',
    digest,
    path: store.blobs.path(digest),
    mtime,
  })
  return {
    kind: 'http',
    key: async () => undefined,
    async run({ step, signal, progress }) {
      const { url, checksum } = step
      // URLs may hold credentials, which are written nowhere.
      const key = hashKey('http', url)
      const record = step.noCache ? undefined : await store.records.get<Known>('http', key)
      const known = record && (await store.blobs.has(record.digest)) ? record : undefined
      if (known && checksum === known.digest) return result(known)
      const fetched = await fetchHttp(url, {
        signal,
        checksum,
        validators: checksum === undefined ? known : undefined,
        sink: async (body) => {
          let size = 0
          async function* counted() {
            for await (const chunk of body) {
              size += chunk.length
              progress(redactUrl(url), size, 0)
              yield chunk
            }
          }
          await store.blobs.put(counted(), undefined, signal)
        },
      })
      if (fetched.kind === 'unchanged') return result(known!)
      const { digest, size, mtime, etag, lastModified } = fetched
      await store.records.put('http', key, { digest, size, mtime, etag, lastModified }, { blobs: [digest] })
      return result(fetched)
    },
  }
}
