/**
 * Where credentials may be sent to get a token: the registry names the server, so it is not trusted blindly.
 */
import { registryErrors } from '../model/errors.ts'
import { isLoopback } from '../transport/loopback.ts'

/**
 * Checks the realm of a Bearer challenge and returns it as a URL without user and fragment.
 *
 * An https registry may only name https realms. A plain-http registry (which the user allowed) may name plain-http
 * realms on its own host or on loopback; where credentials would be sent, https realms elsewhere are refused too, for
 * anyone on the way could have written them.
 *
 * @param registry base URL of the registry that sent the challenge
 * @throws RegistryError REALM_REFUSED
 */
export function checkRealm(realm: string, registry: URL, withCredentials: boolean): URL {
  let url: URL
  try {
    url = new URL(realm)
  } catch {
    throw registryErrors.realmRefused([realm, 'it is not a URL'])
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw registryErrors.realmRefused([realm, 'it is not http(s)'])
  url.username = ''
  url.password = ''
  url.hash = ''
  const near = url.hostname === registry.hostname || isLoopback(url.hostname)
  if (registry.protocol === 'https:' && url.protocol === 'http:') {
    throw registryErrors.realmRefused([realm, 'it is plain http while the registry is https'])
  }
  if (registry.protocol === 'http:' && !near && (withCredentials || url.protocol === 'http:')) {
    throw registryErrors.realmRefused([realm, 'the registry is plain http and the realm is on another host'])
  }
  return url
}
