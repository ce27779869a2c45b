/**
 * Node's `fetch`, trusting the authorities that a registry client trusts: for downloads that come from no registry.
 */

import { isUntrusted } from './tls-error.ts'
import { TlsSecurity } from './tls-security.ts'
import { readCertificates, Trust } from './trust.ts'

export interface TrustingFetchOptions {
  /** Where SSL_CERT_FILE, SSL_CERT_DIR and NODE_EXTRA_CA_CERTS are read from. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Files with more authorities, in PEM. */
  readonly caFiles?: readonly string[] | undefined
}

/**
 * Makes a `fetch` that asks again, with the authorities of the system, a server whose certificate Node does not trust. What
 * that takes is loaded then only. Bodies that are streams cannot be sent twice and are for servers that Node trusts.
 */
export function trustingFetch({ env, caFiles = [] }: TrustingFetchOptions): typeof fetch {
  let wide: Promise<typeof fetch> | undefined
  return async (input, init) => {
    if (wide === undefined) {
      try {
        return await fetch(input, init)
      } catch (error) {
        if (!isUntrusted(error)) throw error
      }
    }
    wide ??= makeWide(env, caFiles)
    return (await wide)(input, init)
  }
}

async function makeWide(env: TrustingFetchOptions['env'], caFiles: readonly string[]): Promise<typeof fetch> {
  const undici = await import('undici')
  const ca = (await Promise.all(caFiles.map(readCertificates))).flat()
  const security = new TlsSecurity({ ca }, new Trust(env))
  const { secureContext } = await security.options()
  const dispatcher = new undici.Agent({ allowH2: false, connect: { secureContext } })
  // The same function, of the package that the dispatcher is of; only the types of the two are not the same.
  const own = undici.fetch as unknown as (input: unknown, init: object) => Promise<Response>
  return (input, init) => own(input, { ...init, dispatcher })
}
