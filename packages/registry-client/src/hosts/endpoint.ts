/**
 * A server to talk to for a registry: the registry itself or a mirror of it.
 */
import type { ConnectionOptions } from 'node:tls'

/** What a server is used for. */
export type Capability = 'pull' | 'resolve' | 'push'

/** One server for a registry. Plain data: made by configuration, used by requests. */
export interface Endpoint {
  /** Name of the registry in references, such as `docker.io`. */
  readonly registry: string
  /** `host[:port]` that credentials are looked up under; `docker.io` for Docker Hub itself. */
  readonly host: string
  /** Base of all requests, with a path that ends in `/`: `https://registry-1.docker.io/v2/`. */
  readonly base: URL
  /** Scheme to use instead when the server turns out not to speak that of `base`. */
  readonly otherScheme?: 'http:' | 'https:'
  readonly capabilities: ReadonlySet<Capability>
  readonly tls?: ConnectionOptions
  /** Sent with every request to this server. */
  readonly headers?: Readonly<Record<string, string>>
  /** Tells a mirror which registry is meant (`?ns=`). */
  readonly namespace?: string
  /** Replaces the start of repository paths: `{ from: 'library', to: 'cache/library' }`. */
  readonly rewrite?: { readonly from: string; readonly to: string }
  /** true for a mirror: its failures are not those of the registry. */
  readonly mirror: boolean
}

/** Everything an upstream registry is used for. */
export const allCapabilities: ReadonlySet<Capability> = new Set(['pull', 'resolve', 'push'])
/** What mirrors are used for unless configured otherwise. */
export const readCapabilities: ReadonlySet<Capability> = new Set(['pull', 'resolve'])

/** What is left of a registry that is read from mirrors alone. */
export const writeCapabilities: ReadonlySet<Capability> = new Set(['push'])

/** The path a repository has on an endpoint. */
export function repositoryPath(endpoint: Endpoint, repository: string): string {
  const { rewrite } = endpoint
  if (rewrite === undefined) return repository
  if (rewrite.from === '') return `${rewrite.to}/${repository}`
  if (repository === rewrite.from || repository.startsWith(`${rewrite.from}/`)) {
    return rewrite.to + repository.slice(rewrite.from.length)
  }
  return repository
}
