/**
 * Lists that registries hand out page by page (distribution-spec "Listing Tags": Link headers, RFC 5988).
 */
import type { HttpHeaders } from '../transport/http.ts'

/** Characters of a header that are looked at. */
const headerLimit = 4096

/** Pages followed in one list; a registry that goes on after that is going round in circles. */
export const pageLimit = 10_000

/**
 * The next page that a Link header names: same origin only, relative links resolved; undefined at the end.
 */
export function nextPage(headers: HttpHeaders, from: URL): URL | undefined {
  for (const value of headers.get('link') ?? []) {
    for (const match of value.slice(0, headerLimit).matchAll(/<([^>]*)>([^<]*)/g)) {
      if (!/;\s*rel\s*=\s*"?[^"]*\bnext\b/i.test(match[2]!)) continue
      if (!URL.canParse(match[1]!, from.href)) continue
      const next = new URL(match[1]!, from)
      if (next.origin === from.origin) return next
      // Registries behind a TLS proxy write the scheme and port they see themselves.
      if (next.hostname === from.hostname && /^https?:$/.test(next.protocol)) {
        const own = new URL(from)
        own.pathname = next.pathname
        own.search = next.search
        return own
      }
    }
  }
  return undefined
}
