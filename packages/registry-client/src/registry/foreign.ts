/**
 * Foreign layers: bytes that a manifest says are to be had elsewhere (image-spec "Descriptors: urls").
 *
 * Whoever wrote the manifest chose the URL, so it is only followed when the user allowed it, never with credentials,
 * and not into private networks: the address is checked when connecting, after name resolution.
 */
import type { Descriptor } from '../model/descriptor.ts'
import { isRegistryError, registryErrors } from '../model/errors.ts'
import { isForeignLayerType } from '../model/media-types.ts'
import { redactUrl } from '../transport/events.ts'
import { isLoopback, isPrivateAddress } from '../transport/loopback.ts'
import { resolveLocation } from '../transport/redirect.ts'
import { sendToWeb, webBody } from '../transport/web-request.ts'
import type { HostClient } from './host-client.ts'
import type { RepositoryAccess } from './repository-access.ts'

/** URLs tried per layer. */
const urlLimit = 4
/** Requests to each of them at most: there may be another one. */
const attemptsPerUrl = 2

/**
 * The bytes of a foreign layer from the first of its URLs that has them. Not resumed: the caller asks again.
 *
 * @throws RegistryError FOREIGN_REFUSED, NETWORK, REJECTED
 */
export async function* foreignChunks(
  access: RepositoryAccess,
  host: HostClient,
  descriptor: Descriptor,
  position: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const { digest, mediaType, urls = [] } = descriptor
  if (!isForeignLayerType(mediaType)) throw registryErrors.foreignRefused([digest, 'it is not of a foreign layer type'])
  if (!access.foreign.allow)
    throw registryErrors.foreignRefused([digest, 'the registry does not have it and its URLs are not allowed'])
  let last: unknown
  for (const text of urls.slice(0, urlLimit)) {
    let received = false
    try {
      for await (const chunk of fetchUrl(access, host, text, position, signal)) {
        received = true
        yield chunk
      }
      return
    } catch (error) {
      signal?.throwIfAborted()
      if (received || !isRegistryError(error)) throw error
      last = error
    }
  }
  throw last ?? registryErrors.foreignRefused([digest, 'it has no URLs'])
}

async function* fetchUrl(
  access: RepositoryAccess,
  { env }: HostClient,
  text: string,
  position: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  if (!URL.canParse(text)) throw registryErrors.foreignRefused([text.slice(0, 200), 'it is not a URL'])
  const what = `foreign layer ${redactUrl(text)}`
  const publicOnly = access.foreign.allowPrivate !== true
  const request = {
    method: 'GET',
    url: resolveLocation(text, new URL('http://localhost'), what),
    headers: (url: URL) => {
      if (publicOnly && (isLoopback(url.hostname) || isPrivateAddress(url.hostname)))
        throw registryErrors.foreignRefused([redactUrl(url), 'its address is not public'])
      return { 'accept-encoding': 'identity' }
    },
    redirect: (location: string | undefined, from: URL) => resolveLocation(location, from, what),
    tls: await env.trusted(),
    publicOnly,
    attempts: Math.min(env.retry.attempts, attemptsPerUrl),
    what,
    signal,
  } as const
  const answer = await sendToWeb(env, request)
  if (answer.status !== 200) {
    await answer.body.discard()
    throw registryErrors.rejected([what, answer.status, ''], { status: answer.status })
  }
  let skip = position
  for await (const chunk of webBody(env, answer, request)) {
    const part = chunk.subarray(Math.min(skip, chunk.length))
    skip -= chunk.length - part.length
    if (part.length > 0) yield part
  }
}
