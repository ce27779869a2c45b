/**
 * Manifests of a repository (distribution-spec "Pulling manifests", "Checking if content exists", "Pushing Manifests").
 */
import type { FetchedManifest } from '../model/content.ts'
import { type Descriptor, parseManifest } from '../model/descriptor.ts'
import { type Digest, digestAlgorithm, digestOf, isDigest } from '../model/digest.ts'
import { isRegistryError, registryErrors } from '../model/errors.ts'
import {
  acceptedManifests,
  bareMediaType,
  isIndexType,
  isManifestType,
  isObsoleteManifestType,
} from '../model/media-types.ts'
import { isTag } from '../model/reference.ts'
import { type HttpHeaders, header, readBody } from '../transport/http.ts'
import type { HostClient } from './host-client.ts'
import { onEachHost, type RepositoryAccess, sendTo, upstream } from './repository-access.ts'

const accept = acceptedManifests.join(', ')

/** Names a manifest in messages: `docker.io/library/busybox:latest`. */
export function manifestName({ registry, repository }: RepositoryAccess, reference: string): string {
  return `${registry}/${repository}${isDigest(reference) ? '@' : ':'}${reference}`
}

/** Checks a tag or digest from outside. @throws RegistryError REFERENCE_INVALID */
function checkTagOrDigest(reference: string): string {
  if (isDigest(reference) || isTag(reference)) return reference
  throw registryErrors.referenceInvalid([reference, 'neither a tag nor a digest'])
}

/**
 * The descriptor of a tag or digest by a HEAD request; by GET where a server does not do HEAD or leaves out what is
 * needed.
 */
export async function resolveManifest(
  access: RepositoryAccess,
  reference: string,
  signal?: AbortSignal,
): Promise<Descriptor> {
  const what = manifestName(access, checkTagOrDigest(reference))
  return onEachHost(access, isDigest(reference) ? 'pull' : 'resolve', signal, async (host) => {
    const path = `manifests/${reference}`
    try {
      const call = { method: 'HEAD', path, headers: { accept }, expect: [200], what, signal } as const
      const answer = await sendTo(host, access, call, 'pull')
      await answer.body.discard()
      const found = describe(answer.headers, reference, what)
      if (found !== undefined) return found
    } catch (error) {
      // Some proxies and old registries answer HEAD with 404 or 405 for what GET finds; an error without a body on
      // HEAD says nothing about the reason either, which GET does.
      if (!isRegistryError(error, 'NOT_FOUND', 'REJECTED', 'BAD_RESPONSE')) throw error
    }
    return (await getManifest(host, access, reference, undefined, signal)).descriptor
  })
}

/** The descriptor that headers give, if they give all of it and it is credible. */
function describe(headers: HttpHeaders, reference: string, what: string): Descriptor | undefined {
  const mediaType = bareMediaType(header(headers, 'content-type'))
  const size = Number(header(headers, 'content-length') ?? Number.NaN)
  const digest = header(headers, 'docker-content-digest')
  if (isObsoleteManifestType(mediaType)) throw registryErrors.mediaTypeUnsupported([what, mediaType])
  if (!isIndexType(mediaType) && !isManifestType(mediaType)) return undefined
  if (!isDigest(digest) || !Number.isSafeInteger(size) || size <= 0) return undefined
  if (isDigest(reference) && digest !== reference) return undefined
  return { mediaType, digest, size }
}

/** A manifest by tag or digest, or by a descriptor whose size and digest it then must have. */
export async function fetchManifest(
  access: RepositoryAccess,
  what: string | Descriptor,
  signal?: AbortSignal,
): Promise<FetchedManifest> {
  if (typeof what === 'string') {
    const reference = checkTagOrDigest(what)
    return onEachHost(access, isDigest(reference) ? 'pull' : 'resolve', signal, (host) =>
      getManifest(host, access, reference, undefined, signal),
    )
  }
  const inline = inlineData(what, access.limits.manifestBytes)
  if (inline !== undefined) return { descriptor: what, bytes: inline }
  return onEachHost(access, 'pull', signal, (host) => getManifest(host, access, what.digest, what.size, signal))
}

/** The content that a descriptor brings along (image-spec "Embedded Content"), if it is what it says. */
export function inlineData(descriptor: Descriptor, limit: number): Buffer | undefined {
  if (descriptor.data === undefined || descriptor.size > limit) return undefined
  const bytes = Buffer.from(descriptor.data, 'base64')
  if (bytes.length !== descriptor.size) return undefined
  return digestOf(bytes, digestAlgorithm(descriptor.digest)) === descriptor.digest ? bytes : undefined
}

async function getManifest(
  host: HostClient,
  access: RepositoryAccess,
  reference: string,
  size: number | undefined,
  signal: AbortSignal | undefined,
): Promise<FetchedManifest> {
  const what = manifestName(access, reference)
  const limit = access.limits.manifestBytes
  if (size !== undefined && size > limit) throw registryErrors.manifestTooLarge([what, limit])
  for (let refetched = false; ; refetched = true) {
    const { bytes, headers } = await getDocument(host, access, `manifests/${reference}`, { accept }, what, signal)
    try {
      if (size !== undefined && bytes.length !== size)
        throw registryErrors.sizeMismatch([what, size, String(bytes.length)])
      const digest = checkDigest(bytes, reference, headers, what)
      const { mediaType } = parseManifest(bytes, header(headers, 'content-type'), what)
      return { descriptor: { mediaType, digest, size: bytes.length }, bytes }
    } catch (error) {
      // A bit that flipped on the way does not flip twice.
      if (refetched || !isRegistryError(error, 'DIGEST_MISMATCH', 'SIZE_MISMATCH')) throw error
    }
  }
}

function checkDigest(bytes: Buffer, reference: string, headers: HttpHeaders, what: string): Digest {
  const claimed = header(headers, 'docker-content-digest')
  const expected = isDigest(reference) ? reference : isDigest(claimed) ? claimed : undefined
  if (expected === undefined) return digestOf(bytes)
  const actual = digestOf(bytes, digestAlgorithm(expected))
  if (actual !== expected) throw registryErrors.digestMismatch([what, expected, actual])
  return actual
}

/** A whole small document; what breaks in the middle is fetched again. */
export async function getDocument(
  host: HostClient,
  access: RepositoryAccess,
  path: string | URL,
  headers: Readonly<Record<string, string>>,
  what: string,
  signal: AbortSignal | undefined,
): Promise<{ bytes: Buffer; headers: HttpHeaders; url: URL }> {
  const limit = access.limits.manifestBytes
  return host.receive({ signal, what }, async () => {
    const answer = await sendTo(host, access, { method: 'GET', path, headers, expect: [200], what, signal }, 'pull')
    const announced = Number(header(answer.headers, 'content-length') ?? 0)
    if (announced > limit) await answer.body.discard()
    const bytes = announced > limit ? undefined : await readBody(answer.body, limit, host.env.timeouts.documentMs)
    if (bytes === undefined) throw registryErrors.manifestTooLarge([what, limit])
    return { bytes, headers: answer.headers, url: answer.url }
  })
}

/** What a push of a manifest needs beside its bytes. */
export interface PutManifest {
  readonly bytes: Uint8Array
  readonly mediaType: string
  readonly digest: Digest
  readonly tags: readonly string[]
  readonly signal: AbortSignal | undefined
}

/**
 * Stores a manifest under its tags, or under its digest alone. Several tags are set by one request where the registry
 * can (`?tag=`, acknowledged by `OCI-Tag`), else by one request each.
 *
 * @returns the digest that the registry says it is a referrer of (`OCI-Subject`), if it keeps track of that
 */
export async function putManifest(access: RepositoryAccess, put: PutManifest): Promise<string | undefined> {
  const host = await upstream(access, put.signal)
  const { digest, tags } = put
  for (const tag of tags) if (!isTag(tag)) throw registryErrors.referenceInvalid([tag, 'invalid tag'])
  // Under a tag alone a registry makes the digest itself, with sha256.
  const direct = tags.length === 0 || (tags.length === 1 && digestAlgorithm(digest) === 'sha256')
  if (direct) return (await putOnce(host, access, put, tags[0] ?? digest, [])).subject
  const { subject, acknowledged } = await putOnce(host, access, put, digest, tags)
  for (const tag of tags) if (!acknowledged.has(tag)) await putOnce(host, access, put, tag, [])
  return subject
}

async function putOnce(
  host: HostClient,
  access: RepositoryAccess,
  put: PutManifest,
  reference: string,
  tags: readonly string[],
) {
  const what = manifestName(access, reference)
  const call = {
    method: 'PUT',
    path: `manifests/${reference}`,
    query: tags.map((tag) => ['tag', tag] as const),
    headers: { 'content-type': put.mediaType },
    body: put.bytes,
    expect: [201, 200, 202],
    what,
    signal: put.signal,
  } as const
  const answer = await sendTo(host, access, call, 'pull', 'push')
  await answer.body.discard()
  const stored = header(answer.headers, 'docker-content-digest')
  if (isDigest(stored) && digestAlgorithm(stored) === digestAlgorithm(put.digest) && stored !== put.digest) {
    throw registryErrors.digestMismatch([what, put.digest, stored])
  }
  const acknowledged = new Set(
    (answer.headers.get('oci-tag') ?? []).flatMap((value) => value.split(',').map((tag) => tag.trim())),
  )
  return { subject: header(answer.headers, 'oci-subject'), acknowledged }
}

/** Deletes a manifest by digest, or a tag (distribution-spec "Deleting tags", "Deleting Manifests"). */
export async function deleteManifest(access: RepositoryAccess, reference: string, signal?: AbortSignal): Promise<void> {
  const what = manifestName(access, checkTagOrDigest(reference))
  const host = await upstream(access, signal)
  const call = { method: 'DELETE', path: `manifests/${reference}`, expect: [202, 200, 204], what, signal } as const
  const answer = await sendTo(host, access, call, 'delete')
  await answer.body.discard()
}
