/**
 * Blobs and uploads of the in-memory registry.
 */
import { randomUUID } from 'node:crypto'
import { digestAlgorithm, digestOf, isDigest } from '../model/digest.ts'
import { type Exchange, fail, type Reply } from './exchange.ts'

const unknown = () => fail(404, 'BLOB_UNKNOWN', 'blob unknown to registry')

/** `/v2/<name>/blobs/<digest>` */
export function answerBlob({ method, headers, store, features }: Exchange, repository: string, digest: string): Reply {
  if (!isDigest(digest)) return fail(400, 'DIGEST_INVALID', 'invalid digest')
  const { blobs } = store.repository(repository)
  const bytes = blobs.get(digest)
  if (bytes === undefined) return unknown()
  if (method === 'DELETE') {
    if (!features.deletes) return fail(405, 'UNSUPPORTED', 'The operation is unsupported.')
    blobs.delete(digest)
    return { status: 202, headers: {} }
  }
  if (method !== 'GET' && method !== 'HEAD') return fail(405, 'UNSUPPORTED', 'The operation is unsupported.')
  const common = { 'content-type': 'application/octet-stream', 'docker-content-digest': digest }
  const range = features.range ? /^bytes=(\d+)-(\d*)$/.exec(String(headers.range ?? '')) : null
  if (range === null) return { status: 200, headers: common, body: bytes }
  const first = Number(range[1])
  const last = range[2] === '' ? bytes.length - 1 : Math.min(Number(range[2]), bytes.length - 1)
  if (first >= bytes.length || last < first)
    return { status: 416, headers: { 'content-range': `bytes */${bytes.length}` } }
  return {
    status: 206,
    headers: { ...common, 'content-range': `bytes ${first}-${last}/${bytes.length}` },
    body: bytes.subarray(first, last + 1),
  }
}

/** `POST /v2/<name>/blobs/uploads/` */
export function startUpload({ method, url, body, store, features }: Exchange, repository: string): Reply {
  if (method !== 'POST') return fail(405, 'UNSUPPORTED', 'The operation is unsupported.')
  const target = store.repository(repository)
  const mount = url.searchParams.get('mount')
  const from = url.searchParams.get('from')
  if (features.mount && isDigest(mount) && from !== null) {
    const bytes = store.repositories.get(from)?.blobs.get(mount)
    if (bytes !== undefined) {
      target.blobs.set(mount, bytes)
      return created(repository, mount)
    }
  }
  const digest = url.searchParams.get('digest')
  if (digest !== null) return commit(target.blobs, repository, digest, body)
  const id = randomUUID()
  target.uploads.set(id, [])
  const minimum = features.minimumChunk === undefined ? {} : { 'oci-chunk-min-length': String(features.minimumChunk) }
  return {
    status: 202,
    headers: { location: `/v2/${repository}/blobs/uploads/${id}?state=1`, range: '0-0', ...minimum },
  }
}

/** `/v2/<name>/blobs/uploads/<id>` */
export function answerUpload(exchange: Exchange, repository: string, id: string): Reply {
  const { method, headers, body, store, features, url } = exchange
  const { uploads, blobs } = store.repository(repository)
  const chunks = uploads.get(id)
  if (chunks === undefined) return fail(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry')
  const received = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  const place = { location: `/v2/${repository}/blobs/uploads/${id}?state=1` }
  switch (method) {
    case 'GET':
      return { status: 204, headers: { ...place, range: `0-${Math.max(0, received - 1)}` } }
    case 'DELETE':
      uploads.delete(id)
      return { status: 204, headers: {} }
    case 'PATCH': {
      if (!features.chunks) return fail(405, 'UNSUPPORTED', 'no uploads in chunks')
      const range = /^(\d+)-(\d+)$/.exec(String(headers['content-range'] ?? ''))
      const fits = range === null || (Number(range[1]) === received && Number(range[2]) === received + body.length - 1)
      if (!fits)
        return {
          ...fail(416, 'BLOB_UPLOAD_INVALID', 'chunk out of order'),
          headers: { ...place, range: `0-${Math.max(0, received - 1)}` },
        }
      chunks.push(body)
      return { status: 202, headers: { ...place, range: `0-${Math.max(0, received + body.length - 1)}` } }
    }
    case 'PUT': {
      const range = /^(\d+)-(\d+)$/.exec(String(headers['content-range'] ?? ''))
      if (range !== null && Number(range[1]) !== received)
        return { ...fail(416, 'BLOB_UPLOAD_INVALID', 'chunk out of order'), headers: place }
      const reply = commit(blobs, repository, url.searchParams.get('digest') ?? '', Buffer.concat([...chunks, body]))
      uploads.delete(id)
      return reply
    }
    default:
      return fail(405, 'UNSUPPORTED', 'The operation is unsupported.')
  }
}

function commit(blobs: Map<string, Buffer>, repository: string, digest: string, bytes: Buffer): Reply {
  if (!isDigest(digest)) return fail(400, 'DIGEST_INVALID', 'invalid digest')
  if (digestOf(bytes, digestAlgorithm(digest)) !== digest) {
    return fail(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content')
  }
  blobs.set(digest, bytes)
  return created(repository, digest)
}

function created(repository: string, digest: string): Reply {
  return { status: 201, headers: { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest } }
}
