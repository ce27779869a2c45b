/**
 * Where redirects may lead, and what may go with them.
 */
import { registryErrors } from '../model/errors.ts'

/** How many redirects are followed in a row. */
export const redirectLimit = 10

/** true for statuses that name another place. */
export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308
}

/**
 * The URL a Location header leads to (RFC 3986 section 5), without user and fragment.
 *
 * Only http and https, and never from https down to http; a plain-http location on the registry's own host, which
 * registries behind a TLS proxy send, is taken as https.
 *
 * @throws RegistryError REDIRECT_REFUSED
 */
export function resolveLocation(location: string | undefined, from: URL, what: string): URL {
  const refuse = (why: string) => registryErrors.redirectRefused([what, why])
  if (location === undefined || location === '') throw refuse('no Location header')
  let url: URL
  try {
    url = new URL(location, from)
  } catch {
    throw refuse('the Location is not a URL')
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw refuse(`scheme ${url.protocol.slice(0, 20)} is not http(s)`)
  url.username = ''
  url.password = ''
  url.hash = ''
  if (from.protocol === 'https:' && url.protocol === 'http:') {
    if (url.hostname !== from.hostname) throw refuse(`it leads from https to plain http on ${url.host}`)
    url.protocol = 'https:'
    url.port = from.port
  }
  return url
}
