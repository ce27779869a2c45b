/** Block blobs of Azure: how both caches in Azure and GitHub's cache service take and give content. */
import type { UrlAnswer } from '@tsbuild/registry-client'
import type { PartedUpload } from './parts.ts'
import { type Hide, serviceError } from './service-error.ts'

/** Of the interface; what is used here is older than all servers. */
export const AZURE_VERSION = '2021-12-02'

/** Blocks that a blob can have. */
export const MAX_BLOCKS = 50_000

export interface BlobCall {
  readonly method: 'GET' | 'HEAD' | 'PUT'
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
  readonly signal: AbortSignal
}

/** Sends a request for a blob, with what lets it pass. */
export type SendBlobCall = (call: BlobCall) => Promise<UrlAnswer>

/**
 * An upload of a blob. Blocks have names by their place, so that of two who write one content at the same time neither
 * disturbs the other.
 *
 * @param what begins messages, without what is secret in the URL
 */
export function blockBlobUpload(
  send: SendBlobCall,
  url: URL,
  { what, hide, signal }: { readonly what: string; readonly hide: Hide; readonly signal: AbortSignal },
): PartedUpload {
  const put = async (query: Record<string, string>, body: Buffer, headers: Record<string, string> = {}) => {
    const to = new URL(url)
    for (const [name, value] of Object.entries(query)) to.searchParams.set(name, value)
    await using answer = await send({ method: 'PUT', url: to, headers, body, signal })
    if (answer.status !== 201) throw await serviceError(`PUT ${what}`, answer, hide)
  }
  return {
    whole: (body) => put({}, body, { 'x-ms-blob-type': 'BlockBlob' }),
    part: (body, index) => put({ comp: 'block', blockid: blockId(index) }, body),
    finish: (parts) => {
      const ids = Array.from({ length: parts }, (_, index) => `<Latest>${blockId(index)}</Latest>`)
      const list = `<?xml version="1.0" encoding="utf-8"?><BlockList>${ids.join('')}</BlockList>`
      return put({ comp: 'blocklist' }, Buffer.from(list), { 'content-type': 'application/xml' })
    },
  }
}

/** All of the same length, as they have to be. */
function blockId(index: number): string {
  return Buffer.from(`tsbuild-${String(index).padStart(8, '0')}`).toString('base64')
}
