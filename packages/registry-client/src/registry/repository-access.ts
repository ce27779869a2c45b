/**
 * How the chapters of a repository reach its servers: mirrors first for reading, the registry itself for writing.
 */
import { repositoryScope } from '../auth/scope.ts'
import { type Capability, repositoryPath } from '../hosts/endpoint.ts'
import { isRegistryError, registryErrors } from '../model/errors.ts'
import type { HostClient, RegistryAnswer, RegistryCall } from './host-client.ts'

/** Bounds of what is accepted from registries. */
export interface Limits {
  /** Bytes of a manifest, index, config or other small document. Default 4 MiB. */
  readonly manifestBytes: number
  /** Levels of indexes within indexes. Default 4. */
  readonly indexDepth: number
}

/** Layers whose bytes are not in the registry but at URLs that the manifest names. */
export interface ForeignLayerOptions {
  /** Default false: such layers fail. */
  readonly allow: boolean
  /** Allows URLs on loopback and private networks. Default false. */
  readonly allowPrivate?: boolean
}

/** What the requests of one repository share. */
export interface RepositoryAccess {
  readonly registry: string
  readonly repository: string
  readonly limits: Limits
  readonly foreign: ForeignLayerOptions
  /** Ranges that a big blob is fetched in at the same time; 1 for none. */
  readonly parallelRanges: number
  /** Digests of blobs that a mirror gave wrong: they are fetched from the registry itself. */
  readonly suspects: Set<string>
  /** The servers to use in turn, the registry itself last, without mirrors that are down. */
  hosts(capability: Capability, signal: AbortSignal | undefined): Promise<readonly HostClient[]>
}

/** A call within a repository: `path` is below its name, as in `manifests/latest`. */
export type RepositoryCall = Omit<RegistryCall, 'scopes' | 'repository' | 'path'> & {
  readonly path: string | URL
  readonly scopes?: readonly string[]
}

/** Sends a call to one server of the repository. */
export function sendTo(
  host: HostClient,
  access: RepositoryAccess,
  call: RepositoryCall,
  ...actions: readonly ('pull' | 'push' | 'delete')[]
): Promise<RegistryAnswer> {
  const repository = repositoryPath(host.endpoint, access.repository)
  return host.send({
    ...call,
    path: call.path instanceof URL ? call.path : `${repository}/${call.path}`,
    repository,
    scopes: [repositoryScope(repository, ...actions), ...(call.scopes ?? [])],
  })
}

/** The registry itself, for everything that writes. @throws RegistryError UNSUPPORTED when configuration forbids pushing */
export async function upstream(access: RepositoryAccess, signal: AbortSignal | undefined): Promise<HostClient> {
  const [host] = await access.hosts('push', signal)
  if (host === undefined) throw registryErrors.unsupported([access.registry, 'no server is configured for pushing'])
  return host
}

/**
 * Runs an operation on each server in turn until one succeeds. The error is that of the last server, which is the
 * registry itself; when that only has not found what a mirror was forbidden to show, it still is.
 */
export async function onEachHost<T>(
  access: RepositoryAccess,
  capability: Capability,
  signal: AbortSignal | undefined,
  operation: (host: HostClient) => Promise<T>,
): Promise<T> {
  const hosts = await access.hosts(capability, signal)
  let last: unknown
  for (const host of hosts) {
    const { endpoint } = host
    try {
      const result = await operation(host)
      if (endpoint.mirror)
        host.env.onEvent({ type: 'mirror', registry: access.registry, host: endpoint.host, outcome: 'used' })
      return result
    } catch (error) {
      signal?.throwIfAborted()
      if (!isRegistryError(error)) throw error
      last = error
      if (endpoint.mirror)
        host.env.onEvent({
          type: 'mirror',
          registry: access.registry,
          host: endpoint.host,
          outcome: 'skipped',
          reason: error.message,
        })
    }
  }
  throw last ?? registryErrors.unsupported([access.registry, `no server is configured to ${capability}`])
}
