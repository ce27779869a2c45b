/**
 * Referrers of a manifest (distribution-spec "Listing Referrers" and "Pushing Manifests with Subject").
 *
 * Registries without the API keep them in an index under a tag made of the subject's digest ("Referrers Tag Schema").
 * Every client rewrites that index as a whole, so it is rewritten under a lock within this client, with If-Match, and
 * read again afterwards: what another client overwrote is put back.
 */
import type { ReferrersOptions } from '../model/content.ts'
import { type Descriptor, type Index, type ManifestDocument, parseManifest } from '../model/descriptor.ts'
import { type Digest, digestOf } from '../model/digest.ts'
import { isRegistryError, registryErrors } from '../model/errors.ts'
import { mediaTypes } from '../model/media-types.ts'
import { referrersTag } from '../model/referrer.ts'
import { backoff, pause } from '../transport/retry.ts'
import { deleteManifest, fetchManifest, getDocument, manifestName } from './manifests.ts'
import { nextPage, pageLimit } from './pages.ts'
import { onEachHost, type RepositoryAccess, sendTo, upstream } from './repository-access.ts'

/** How often the fallback index is rewritten when others rewrite it at the same time. */
const contentionLimit = 8

/** Manifests that refer to `subject`, by the API or by the fallback tag. None is an empty list, not an error. */
export async function* listReferrers(
  access: RepositoryAccess,
  subject: Pick<Descriptor, 'digest'>,
  options: ReferrersOptions = {},
): AsyncGenerator<Descriptor> {
  const { artifactType, signal } = options
  for await (const descriptor of allReferrers(access, subject.digest, artifactType, signal)) {
    if (artifactType === undefined || descriptor.artifactType === artifactType) yield descriptor
  }
}

async function* allReferrers(
  access: RepositoryAccess,
  digest: Digest,
  artifactType: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Descriptor> {
  const what = `referrers of ${manifestName(access, digest)}`
  const filter = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`
  const accept = { accept: mediaTypes.ociIndex }
  try {
    let { host, page } = await onEachHost(access, 'resolve', signal, async (host) => {
      return { host, page: await getDocument(host, access, `referrers/${digest}${filter}`, accept, what, signal) }
    })
    for (let count = 1; count <= pageLimit; count++) {
      yield* indexOf(parseManifest(page.bytes, mediaTypes.ociIndex, what), what).manifests
      const next = nextPage(page.headers, page.url)
      if (next === undefined) return
      page = await getDocument(host, access, next, accept, what, signal)
    }
  } catch (error) {
    if (!isRegistryError(error, 'NOT_FOUND', 'REJECTED', 'MANIFEST_INVALID')) throw error
    yield* (await fallbackIndex(access, digest, signal)).index?.manifests ?? []
  }
}

function indexOf(document: ManifestDocument, what: string): Index {
  if (document.kind === 'index') return document.index
  throw registryErrors.manifestInvalid([what, 'not an index'])
}

async function fallbackIndex(
  access: RepositoryAccess,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<{ index?: Index; digest?: Digest }> {
  const tag = referrersTag(digest)
  try {
    const { bytes, descriptor } = await fetchManifest(access, tag, signal)
    return { index: indexOf(parseManifest(bytes, descriptor.mediaType, tag), tag), digest: descriptor.digest }
  } catch (error) {
    if (isRegistryError(error, 'NOT_FOUND', 'MANIFEST_INVALID')) return {}
    throw error
  }
}

/** Serialises work by key; the entry goes when nobody waits any more. */
export type KeyedLock = <T>(key: string, work: () => Promise<T>) => Promise<T>

/** A lock of its own for each client. */
export function keyedLock(): KeyedLock {
  const tails = new Map<string, Promise<unknown>>()
  return async (key, work) => {
    const before = tails.get(key) ?? Promise.resolve()
    const run = before.then(work, work)
    tails.set(key, run)
    try {
      return await run
    } finally {
      if (tails.get(key) === run) tails.delete(key)
    }
  }
}

/** Adds a referrer to the fallback index of its subject, or takes it out. Idempotent. */
export async function updateFallback(
  access: RepositoryAccess,
  lock: KeyedLock,
  subject: Pick<Descriptor, 'digest'>,
  change: { readonly add: Descriptor } | { readonly remove: Digest },
  signal: AbortSignal | undefined,
): Promise<void> {
  const tag = referrersTag(subject.digest)
  await lock(`${access.registry}/${access.repository}:${tag}`, async () => {
    const host = await upstream(access, signal)
    const { retry, random } = host.env
    for (let attempt = 1; ; attempt++) {
      const current = await fallbackIndex(access, subject.digest, signal)
      const manifests = changed(current.index?.manifests ?? [], change)
      if (manifests === undefined) return
      if (manifests.length === 0) {
        await deleteManifest(access, current.digest!, signal)
        return
      }
      const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }))
      const condition: Record<string, string> =
        current.digest === undefined ? {} : { 'if-match': `"${current.digest}"` }
      const call = {
        method: 'PUT',
        path: `manifests/${tag}`,
        headers: { 'content-type': mediaTypes.ociIndex, ...condition },
        body: bytes,
        expect: [201, 412],
        what: manifestName(access, tag),
        signal,
      } as const
      const answer = await sendTo(host, access, call, 'pull', 'push')
      await answer.body.discard()
      if (answer.status === 201) {
        const after = await fallbackIndex(access, subject.digest, signal)
        if (after.digest === digestOf(bytes) || changed(after.index?.manifests ?? [], change) === undefined) {
          return
        }
      }
      if (attempt >= contentionLimit) {
        throw registryErrors.rejected([
          manifestName(access, tag),
          answer.status,
          'other clients keep changing the list of referrers',
        ])
      }
      await pause(backoff(attempt, retry, random), signal)
    }
  })
}

/** The list after a change; undefined when it is as wanted already. */
function changed(
  manifests: readonly Descriptor[],
  change: { readonly add: Descriptor } | { readonly remove: Digest },
): Descriptor[] | undefined {
  if ('add' in change) {
    return manifests.some(({ digest }) => digest === change.add.digest) ? undefined : [...manifests, change.add]
  }
  const left = manifests.filter(({ digest }) => digest !== change.remove)
  return left.length === manifests.length ? undefined : left
}
