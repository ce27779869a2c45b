/**
 * Uploads whose digest is known only when they end: one PATCH without length, then the closing PUT.
 */
import type { CallOptions } from './content.ts'
import { type DigestAlgorithm, Digester, type Expected } from './digest.ts'
import { type RepositoryAccess, sendTo, upstream } from './repository-access.ts'
import { header } from './transport/http.ts'
import { resolveLocation } from './transport/redirect.ts'
import { begin, discardSession } from './upload.ts'
import { finish, SourceFailure, type UploadSession } from './upload-session.ts'

export interface UploadStreamOptions extends CallOptions {
  readonly algorithm?: DigestAlgorithm | undefined
}

/**
 * Sends content that can be read only once. A failure is final: nothing is left to send again.
 *
 * @returns digest and size of what was sent
 */
export async function uploadStream(
  access: RepositoryAccess,
  content: AsyncIterable<Uint8Array>,
  options: UploadStreamOptions = {},
): Promise<Expected> {
  const { signal, algorithm } = options
  const host = await upstream(access, signal)
  const what = `upload to ${access.registry}/${access.repository}`
  const digester = new Digester(algorithm)
  const session: UploadSession = await begin(host, access, undefined, what, signal)
  try {
    let opened = false
    const body = async function* () {
      if (opened)
        throw new SourceFailure(new Error('the content can be read only once, and the registry asked for it twice'))
      opened = true
      try {
        for await (const chunk of content) {
          digester.update(chunk)
          yield chunk
        }
      } catch (error) {
        throw new SourceFailure(error)
      }
    }
    const headers = { 'content-type': 'application/octet-stream' }
    const call = {
      method: 'PATCH',
      path: session.location,
      headers,
      body,
      expect: [202, 204],
      attempts: 1,
      what,
      signal,
    } as const
    const answer = await sendTo(host, access, { ...call, headersMs: host.env.timeouts.commitMs }, 'pull', 'push')
    await answer.body.discard()
    const location = header(answer.headers, 'location')
    if (location !== undefined) session.location = resolveLocation(location, answer.url, what)
    const digest = digester.digest()
    await finish({ host, access, what, signal }, session.location, digest)
    return { digest, size: digester.size }
  } catch (error) {
    await discardSession(host, access, session, undefined)
    throw error instanceof SourceFailure ? error.failure : error
  }
}
