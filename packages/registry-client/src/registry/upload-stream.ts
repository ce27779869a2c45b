/**
 * Uploads whose digest is known only when they end: one PATCH without length, then the closing PUT.
 */
import type { CallOptions } from '../model/content.ts'
import { type DigestAlgorithm, Digester, type Expected } from '../model/digest.ts'
import { type RepositoryAccess, upstream } from './repository-access.ts'
import { begin, discardSession } from './upload.ts'
import { finish, follow, patch, SourceFailure, type UploadSession } from './upload-session.ts'

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
    const sender = { host, access, what, signal }
    const answer = await patch(sender, session, headers, body)
    follow(session, answer, what)
    const digest = digester.digest()
    await finish(sender, session.location, digest)
    return { digest, size: digester.size }
  } catch (error) {
    await discardSession(host, access, session, undefined)
    throw error instanceof SourceFailure ? error.failure : error
  }
}
