/**
 * Manifests, tags and referrers of the in-memory registry.
 */
import { parseManifest } from '../model/descriptor.ts'
import { type Digest, digestAlgorithm, digestOf, isDigest } from '../model/digest.ts'
import { RegistryError } from '../model/errors.ts'
import { mediaTypes } from '../model/media-types.ts'
import { isTag } from '../model/reference.ts'
import { referrerOf } from '../model/referrer.ts'
import { type Exchange, fail, json, type Reply } from './exchange.ts'

const unknown = () => fail(404, 'MANIFEST_UNKNOWN', 'manifest unknown')

/** `/v2/<name>/manifests/<reference>` */
export function answerManifest(exchange: Exchange, repository: string, reference: string): Reply {
  const { method, store, features } = exchange
  const target = store.repository(repository)
  if (!isDigest(reference) && !isTag(reference)) return fail(400, 'MANIFEST_INVALID', 'invalid reference')
  const digest = isDigest(reference) ? reference : target.tags.get(reference)
  switch (method) {
    case 'HEAD':
    case 'GET': {
      if (method === 'HEAD' && !features.head) return fail(405, 'UNSUPPORTED', 'HEAD is not supported')
      const found = digest === undefined ? undefined : target.manifests.get(digest)
      if (found === undefined) return unknown()
      return {
        status: 200,
        headers: {
          'content-type': found.mediaType,
          'docker-content-digest': digest!,
          ...lengthOf(method, found.bytes),
        },
        body: found.bytes,
      }
    }
    case 'PUT':
      return putManifest(exchange, repository, reference)
    case 'DELETE':
      if (!features.deletes) return fail(405, 'UNSUPPORTED', 'The operation is unsupported.')
      if (!isDigest(reference)) return target.tags.delete(reference) ? { status: 202, headers: {} } : unknown()
      if (!target.manifests.delete(reference)) return unknown()
      for (const [tag, at] of target.tags) if (at === reference) target.tags.delete(tag)
      return { status: 202, headers: {} }
    default:
      return fail(405, 'UNSUPPORTED', 'The operation is unsupported.')
  }
}

function lengthOf(method: string, bytes: Buffer): Record<string, string> {
  return method === 'HEAD' ? { 'content-length': String(bytes.length) } : {}
}

function putManifest({ headers, body, url, store, features }: Exchange, repository: string, reference: string): Reply {
  const target = store.repository(repository)
  const mediaType = String(headers['content-type'] ?? '')
  let subject: string | undefined
  let digest: Digest
  try {
    const document = parseManifest(body, mediaType)
    digest = digestOf(body, isDigest(reference) ? digestAlgorithm(reference) : 'sha256')
    subject = referrerOf(body, { mediaType: document.mediaType, digest, size: body.length })?.subject.digest
    const missing =
      document.kind === 'index'
        ? document.index.manifests.find((d) => !target.manifests.has(d.digest) && !target.blobs.has(d.digest))
        : [document.manifest.config, ...document.manifest.layers].find(
            (d) => !target.blobs.has(d.digest) && !d.urls?.length,
          )
    if (missing !== undefined) return fail(404, 'MANIFEST_BLOB_UNKNOWN', `${missing.digest} is not known`)
  } catch (error) {
    if (error instanceof RegistryError) return fail(400, 'MANIFEST_INVALID', error.message)
    throw error
  }
  if (isDigest(reference) && digest !== reference)
    return fail(400, 'DIGEST_INVALID', 'the manifest does not match its digest')
  const expected = headers['if-match']
  if (!isDigest(reference) && expected !== undefined && expected !== `"${target.tags.get(reference)}"`) {
    return fail(412, 'DENIED', 'the tag has changed')
  }
  target.manifests.set(digest, { bytes: body, mediaType })
  if (!isDigest(reference)) target.tags.set(reference, digest)
  const tags = features.multiTag ? url.searchParams.getAll('tag') : []
  for (const tag of tags) target.tags.set(tag, digest)
  return {
    status: 201,
    headers: {
      location: `/v2/${repository}/manifests/${digest}`,
      'docker-content-digest': digest,
      ...(subject !== undefined && features.referrers && { 'oci-subject': subject }),
      ...(tags.length > 0 && { 'oci-tag': tags.join(', ') }),
    },
  }
}

/** `/v2/<name>/tags/list` */
export function answerTags({ store, url }: Exchange, repository: string): Reply {
  const target = store.repositories.get(repository)
  if (target === undefined || !url.pathname.endsWith('/list'))
    return fail(404, 'NAME_UNKNOWN', 'repository name not known to registry')
  const { page, headers } = pageOf([...target.tags.keys()], url)
  return json(200, { name: repository, tags: page }, headers)
}

/** `/v2/_catalog`, which is docker's own. */
export function answerCatalog({ store, url }: Exchange): Reply {
  const { page, headers } = pageOf([...store.repositories.keys()], url)
  return json(200, { repositories: page }, headers)
}

/** The names that `n` and `last` ask for, and where the next ones are. */
function pageOf(names: readonly string[], url: URL): { page: string[]; headers: Record<string, string> } {
  const last = url.searchParams.get('last')
  const all = [...names].sort().filter((name) => last === null || name > last)
  const n = url.searchParams.get('n')
  const page = n === null ? all : all.slice(0, Number(n))
  const more = page.length < all.length && page.length > 0
  const next = `${url.pathname}?n=${n}&last=${encodeURIComponent(page.at(-1) ?? '')}`
  return { page, headers: more ? { link: `<${next}>; rel="next"` } : {} }
}

/** `/v2/<name>/referrers/<digest>` */
export function answerReferrers({ store, url, features }: Exchange, repository: string, digest: string): Reply {
  if (!features.referrers) return fail(404, 'UNSUPPORTED', 'no referrers API')
  if (!isDigest(digest)) return fail(400, 'DIGEST_INVALID', 'invalid digest')
  const artifactType = url.searchParams.get('artifactType')
  const all = store.referrers(repository, digest)
  const manifests = artifactType === null ? all : all.filter((d) => d.artifactType === artifactType)
  const headers = {
    'content-type': mediaTypes.ociIndex,
    ...(artifactType !== null && { 'oci-filters-applied': 'artifactType' }),
  }
  return json(200, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }, headers)
}
