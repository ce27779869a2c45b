/**
 * What all servers of a client share.
 */
import type { ConnectionOptions } from 'node:tls'
import type { CredentialProvider } from '../auth/credentials.ts'
import type { WebEnvironment } from '../transport/web-request.ts'

/** Resolved options, connections, and the world: clock, randomness, listeners. */
export interface HostEnvironment extends WebEnvironment {
  readonly credentials: CredentialProvider
  /** Whom servers are trusted with that no file speaks of; the same object each time. */
  readonly trusted: () => Promise<ConnectionOptions | undefined>
}
