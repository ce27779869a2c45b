/**
 * Blobs down (distribution-spec "Pulling blobs"): verified while they stream, resumed when they break off.
 *
 * A transfer that breaks goes on from where it was, always asked for at the registry's own URL: the address a
 * redirect led to may have expired. Whoever has been handed bytes keeps them, so what cannot be resumed is fetched
 * again and the known part skipped. A wrong digest is found out only at the end; the caller starts over then.
 */
import type { OpenBlobOptions } from '../model/content.ts'
import type { Descriptor } from '../model/descriptor.ts'
import { DigestVerifier, parseDigest } from '../model/digest.ts'
import { isRegistryError, registryErrors } from '../model/errors.ts'
import { foreignChunks } from './foreign.ts'
import { blobName, fromHost } from './host-download.ts'
import { inlineData } from './manifests.ts'
import { parallelChunks, parallelThreshold } from './parallel-download.ts'
import type { RepositoryAccess } from './repository-access.ts'

/** The content of a blob from `offset` on; see `Source.openBlob`. */
export async function* downloadBlob(
  access: RepositoryAccess,
  descriptor: Descriptor,
  options: OpenBlobOptions = {},
): AsyncGenerator<Buffer> {
  const { offset = 0, signal, transient = false } = options
  const { size } = descriptor
  parseDigest(descriptor.digest)
  if (offset > size) throw registryErrors.sizeMismatch([blobName(access, descriptor), size, `a start at ${offset}`])
  const verifier = offset === 0 ? new DigestVerifier(descriptor) : undefined
  let position = offset
  for await (const chunk of chunksFrom(access, descriptor, offset, signal)) {
    position += chunk.length
    if (position > size) throw registryErrors.sizeMismatch([blobName(access, descriptor), size, 'more'])
    verifier?.update(chunk)
    yield transient ? chunk : Buffer.from(chunk)
  }
  if (position !== size) throw registryErrors.sizeMismatch([blobName(access, descriptor), size, String(position)])
  try {
    verifier?.end()
  } catch (error) {
    access.suspects.add(descriptor.digest)
    throw error
  }
}

/** The bytes from each server in turn: a later one goes on where an earlier one failed. */
async function* chunksFrom(
  access: RepositoryAccess,
  descriptor: Descriptor,
  offset: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const inline = inlineData(descriptor, access.limits.manifestBytes)
  if (inline !== undefined) {
    yield inline.subarray(offset)
    return
  }
  if (descriptor.size === offset) return
  const state = { position: offset }
  const all = await access.hosts('pull', signal)
  const hosts = access.suspects.has(descriptor.digest) && all.length > 1 ? all.slice(-1) : all
  let last: unknown
  for (const host of hosts) {
    const { mirror, host: name } = host.endpoint
    try {
      if (access.parallelRanges > 1 && descriptor.size - state.position > parallelThreshold) {
        yield* parallelChunks(host, access, descriptor, state, signal)
      } else {
        yield* fromHost(host, access, descriptor, state, signal)
      }
      if (mirror) host.env.onEvent({ type: 'mirror', registry: access.registry, host: name, outcome: 'used' })
      return
    } catch (error) {
      signal?.throwIfAborted()
      if (!isRegistryError(error)) throw error
      last = error
      if (mirror)
        host.env.onEvent({
          type: 'mirror',
          registry: access.registry,
          host: name,
          outcome: 'skipped',
          reason: error.message,
        })
    }
  }
  if (isRegistryError(last, 'NOT_FOUND') && descriptor.urls !== undefined && descriptor.urls.length > 0) {
    yield* foreignChunks(access, hosts.at(-1)!, descriptor, state.position, signal)
    return
  }
  throw last ?? registryErrors.unsupported([access.registry, 'no server is configured to pull'])
}
