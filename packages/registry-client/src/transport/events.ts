/**
 * What a client tells about its work, as data. Events never carry credentials: headers are left out and URLs redacted.
 */

/** One thing that happened. `registry` is the name as in references; `host` the server that was talked to. */
export type RegistryEvent =
  | {
      readonly type: 'request'
      readonly method: string
      readonly url: string
      readonly status: number
      /** Until the head of the answer had arrived. */
      readonly durationMs: number
      /** 1 for the first try. */
      readonly attempt: number
    }
  | {
      readonly type: 'retry'
      readonly method: string
      readonly url: string
      readonly attempt: number
      readonly delayMs: number
      /** Why: a status or the message of a network error. */
      readonly reason: string
    }
  | { readonly type: 'warning'; readonly host: string; readonly message: string }
  | {
      readonly type: 'mirror'
      readonly registry: string
      readonly host: string
      readonly outcome: 'used' | 'skipped'
      readonly reason?: string
    }
  | {
      readonly type: 'auth'
      readonly host: string
      readonly scheme: 'basic' | 'bearer'
      readonly scopes: readonly string[]
    }

/** Receives events as they happen; must not throw. */
export type RegistryEventListener = (event: RegistryEvent) => void

/** A URL fit to be shown: without user, password, and values of the query (presigned URLs are credentials). */
export function redactUrl(url: URL | string): string {
  try {
    const shown = new URL(url)
    shown.username = ''
    shown.password = ''
    shown.hash = ''
    const query = [...new Set(shown.searchParams.keys())].map((key) => `${encodeURIComponent(key)}=…`).join('&')
    return `${shown.origin === 'null' ? `${shown.protocol}//` : shown.origin}${shown.pathname}${query && `?${query}`}`
  } catch {
    return 'invalid URL'
  }
}

/** Texts of `Warning` headers with code 299 (distribution-spec "Warnings", RFC 7234 section 5.5). */
export function parseWarnings(values: readonly string[]): string[] {
  const texts: string[] = []
  for (const value of values) {
    for (const match of value.slice(0, 4096).matchAll(/(?:^|,)\s*299\s+(?:-|[^\s"]+)\s+"((?:[^"\\]|\\.)*)"/g)) {
      texts.push(
        match[1]!
          .replace(/\\(.)/g, '$1')
          .replace(/[\0-\x1f\x7f]/g, ' ')
          .slice(0, 1000),
      )
    }
  }
  return texts
}
