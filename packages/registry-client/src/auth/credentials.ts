/**
 * What a registry is convinced with, and where it comes from.
 */

/** Credentials of one registry. All fields absent: anonymous. */
export interface Credentials {
  readonly username?: string
  readonly password?: string
  /** An OAuth2 refresh token in place of a password (docker's `identitytoken`). */
  readonly identityToken?: string
  /** A bearer token to send as it is (docker's `registrytoken`). */
  readonly registryToken?: string
}

/** What credentials are wanted for. */
export interface CredentialQuery {
  /** `docker.io`, `host` or `host:port`: the registry itself, or a mirror of it. */
  readonly registry: string
  /** Path of the repository, for providers that tell repositories apart. */
  readonly repository?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** Finds credentials; undefined for none. Asked once per registry and repository by a client, when challenged. */
export type CredentialProvider = (query: CredentialQuery) => Promise<Credentials | undefined> | Credentials | undefined

/** The first provider that has an answer wins. */
export function firstOf(...providers: readonly CredentialProvider[]): CredentialProvider {
  return async (query) => {
    for (const provider of providers) {
      const found = await provider(query)
      if (found !== undefined) return found
    }
    return undefined
  }
}

/** The header of Basic authentication (RFC 7617), undefined when there is no user. */
export function basicHeader({ username, password }: Credentials): string | undefined {
  if (username === undefined) return undefined
  return `Basic ${Buffer.from(`${username}:${password ?? ''}`, 'utf8').toString('base64')}`
}
