/**
 * Foreign layers: bytes that a manifest says are to be had elsewhere (image-spec "Descriptors: urls").
 *
 * Whoever wrote the manifest chose the URL, so it is only followed when the user allowed it, never with credentials,
 * and not into private networks: the address is checked when connecting, after name resolution.
 */
import { lookup as dnsLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import type { Descriptor } from '../model/descriptor.ts'
import { isRegistryError, registryErrors } from '../model/errors.ts'
import { isForeignLayerType } from '../model/media-types.ts'
import { redactUrl } from '../transport/events.ts'
import { isLoopback, isPrivateAddress } from '../transport/loopback.ts'
import { networkError } from '../transport/network-error.ts'
import { isRedirect, redirectLimit, resolveLocation } from '../transport/redirect.ts'
import type { HostClient } from './host-client.ts'
import type { RepositoryAccess } from './repository-access.ts'

/** URLs tried per layer. */
const urlLimit = 4

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
  host: HostClient,
  text: string,
  position: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const { timeouts, userAgent, proxyFor } = host.env
  // Loaded here because hardly anybody needs it.
  const { Agent, ProxyAgent } = await import('undici')
  const allowPrivate = access.foreign.allowPrivate === true
  if (!URL.canParse(text)) throw registryErrors.foreignRefused([text.slice(0, 200), 'it is not a URL'])
  const what = `foreign layer ${redactUrl(text)}`
  let url = resolveLocation(text, new URL('http://localhost'), what)
  for (let hops = 0; hops <= redirectLimit; hops++) {
    if (!allowPrivate && (isLoopback(url.hostname) || isPrivateAddress(url.hostname))) {
      throw registryErrors.foreignRefused([redactUrl(url), 'its address is not public'])
    }
    const proxy = proxyFor(url)
    const connect = { timeout: timeouts.connectMs, ...(allowPrivate ? {} : { lookup: publicLookup }) }
    const agent = proxy === undefined ? new Agent({ allowH2: false, connect }) : new ProxyAgent({ uri: proxy.href })
    try {
      const answer = await agent.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: 'GET',
        headers: { 'user-agent': userAgent, 'accept-encoding': 'identity' },
        headersTimeout: timeouts.idleMs,
        bodyTimeout: timeouts.idleMs,
        signal: signal ?? null,
      })
      if (isRedirect(answer.statusCode)) {
        const { location } = answer.headers
        await answer.body.dump({ limit: 64 << 10 })
        url = resolveLocation(Array.isArray(location) ? location[0] : location, url, what)
        continue
      }
      if (answer.statusCode !== 200)
        throw registryErrors.rejected([what, answer.statusCode, ''], { status: answer.statusCode })
      let skip = position
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        const part = chunk.subarray(Math.min(skip, chunk.length))
        skip -= chunk.length - part.length
        if (part.length > 0) yield part
      }
      return
    } catch (error) {
      signal?.throwIfAborted()
      throw isRegistryError(error) ? error : networkError(error, what, 1, timeouts.idleMs)
    } finally {
      await agent.destroy()
    }
  }
  throw registryErrors.redirectRefused([what, `more than ${redirectLimit} in a row`])
}

/** Resolves names to public addresses only, so that a name cannot be pointed inside between check and use. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, '', 0)
    const publicOnes = addresses.filter(({ address }) => !isPrivateAddress(address))
    const [first] = publicOnes
    if (first === undefined)
      return callback(Object.assign(new Error(`${hostname} has no public address`), { code: 'EACCES' }), '', 0)
    if (options.all === true) callback(null, publicOnes)
    else callback(null, first.address, first.family)
  })
}
