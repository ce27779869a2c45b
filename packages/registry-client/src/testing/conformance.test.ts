import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../model/digest.ts'
import { mediaTypes } from '../model/media-types.ts'
import { TestRegistry } from './index.ts'

/** The rules that the distribution-spec's conformance suite checks, asked with nothing of ours but the server. */
let registry: TestRegistry
beforeAll(async () => {
  registry = await TestRegistry.start()
})
afterAll(() => registry[Symbol.asyncDispose]())

const call = (method: string, path: string, init: RequestInit = {}) =>
  fetch(new URL(path, registry.url), { method, redirect: 'manual', ...init })
const binary = { 'content-type': 'application/octet-stream' }
const blob = randomBytes(1000)
const digest = digestOf(blob)
const config = Buffer.from('{}')
const manifest = (annotations = {}, subject?: object) =>
  Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: 'test/artifact',
      config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
      layers: [{ mediaType: mediaTypes.ociLayer, digest, size: blob.length }],
      annotations,
      ...(subject && { subject }),
    }),
  )

async function upload(repository: string, bytes: Buffer): Promise<Response> {
  const started = await call('POST', `/v2/${repository}/blobs/uploads/`)
  const location = new URL(started.headers.get('location')!, registry.url)
  location.searchParams.set('digest', digestOf(bytes))
  return call('PUT', location.href, { body: bytes, headers: binary })
}

describe('pull', () => {
  it('answers for what there is and what there is not', async () => {
    expect((await call('GET', '/v2/')).status).toBe(200)
    for (const bytes of [blob, config]) expect((await upload('pull', bytes)).status).toBe(201)
    const document = manifest()
    const put = await call('PUT', '/v2/pull/manifests/v1', {
      body: document,
      headers: { 'content-type': mediaTypes.ociManifest },
    })
    expect(put.status).toBe(201)
    expect(put.headers.get('location')).toBeTruthy()
    for (const reference of ['v1', digestOf(document)]) {
      const head = await call('HEAD', `/v2/pull/manifests/${reference}`)
      expect([head.status, head.headers.get('docker-content-digest')]).toEqual([200, digestOf(document)])
      expect(Number(head.headers.get('content-length'))).toBe(document.length)
      const get = await call('GET', `/v2/pull/manifests/${reference}`)
      expect(Buffer.from(await get.arrayBuffer()).equals(document)).toBe(true)
      expect(get.headers.get('content-type')).toBe(mediaTypes.ociManifest)
    }
    const head = await call('HEAD', `/v2/pull/blobs/${digest}`)
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '1000'])
    const range = await call('GET', `/v2/pull/blobs/${digest}`, { headers: { range: 'bytes=10-19' } })
    expect([range.status, range.headers.get('content-range')]).toEqual([206, 'bytes 10-19/1000'])
    expect(Buffer.from(await range.arrayBuffer()).equals(blob.subarray(10, 20))).toBe(true)
    for (const path of ['manifests/nope', `manifests/${digestOf('nope')}`, `blobs/${digestOf('nope')}`]) {
      for (const method of ['GET', 'HEAD']) expect((await call(method, `/v2/pull/${path}`)).status).toBe(404)
    }
    const missing = (await (await call('GET', '/v2/pull/manifests/nope')).json()) as { errors: { code: string }[] }
    expect(missing.errors[0]!.code).toBe('MANIFEST_UNKNOWN')
  })
})

describe('push', () => {
  it('takes chunks in order only', async () => {
    const started = await call('POST', '/v2/push/blobs/uploads/', { headers: { 'content-length': '0' } })
    expect(started.status).toBe(202)
    const location = started.headers.get('location')!
    const patch = (first: number, last: number) =>
      call('PATCH', location, {
        body: blob.subarray(first, last + 1),
        headers: { ...binary, 'content-range': `${first}-${last}` },
      })
    expect((await patch(100, 199)).status).toBe(416)
    const first = await patch(0, 99)
    expect([first.status, first.headers.get('range')]).toEqual([202, '0-99'])
    expect((await patch(0, 99)).status).toBe(416)
    const status = await call('GET', location)
    expect([status.status, status.headers.get('range')]).toEqual([204, '0-99'])
    expect((await patch(100, 999)).status).toBe(202)
    const finished = await call('PUT', `${location}&digest=${digest}`)
    expect([finished.status, finished.headers.get('location')]).toEqual([201, `/v2/push/blobs/${digest}`])
  })

  it('takes one POST, mounts, refuses wrong digests, and lets sessions be cancelled', async () => {
    expect(
      (await call('POST', `/v2/mono/blobs/uploads/?digest=${digest}`, { body: blob, headers: binary })).status,
    ).toBe(201)
    expect((await call('POST', `/v2/mounted/blobs/uploads/?mount=${digest}&from=mono`)).status).toBe(201)
    expect((await call('POST', `/v2/mounted/blobs/uploads/?mount=${digestOf('nope')}&from=mono`)).status).toBe(202)
    const started = await call('POST', '/v2/mono/blobs/uploads/')
    const location = started.headers.get('location')!
    expect((await call('PUT', `${location}&digest=${digestOf('x')}`, { body: blob, headers: binary })).status).toBe(400)
    const other = (await call('POST', '/v2/mono/blobs/uploads/')).headers.get('location')!
    expect((await call('DELETE', other)).status).toBe(204)
    expect((await call('GET', other)).status).toBe(404)
  })

  it('takes no manifest that is none, or whose parts are missing', async () => {
    const put = (body: Buffer) =>
      call('PUT', '/v2/empty/manifests/v1', { body, headers: { 'content-type': mediaTypes.ociManifest } })
    expect((await put(Buffer.from('nonsense'))).status).toBe(400)
    expect((await put(manifest())).status).toBe(404)
  })
})

describe('discovery', () => {
  it('lists tags in pages, and referrers with filters', async () => {
    for (const bytes of [blob, config]) await upload('disc', bytes)
    const headers = { 'content-type': mediaTypes.ociManifest }
    const document = manifest()
    for (const tag of ['a', 'b', 'c']) await call('PUT', `/v2/disc/manifests/${tag}`, { body: document, headers })
    expect(await (await call('GET', '/v2/disc/tags/list')).json()).toEqual({ name: 'disc', tags: ['a', 'b', 'c'] })
    const page = await call('GET', '/v2/disc/tags/list?n=2')
    expect(((await page.json()) as { tags: string[] }).tags).toEqual(['a', 'b'])
    expect(page.headers.get('link')).toContain('last=b')
    expect(await (await call('GET', '/v2/disc/tags/list?n=2&last=b')).json()).toEqual({ name: 'disc', tags: ['c'] })
    const subject = { mediaType: mediaTypes.ociManifest, digest: digestOf(document), size: document.length }
    const put = await call('PUT', `/v2/disc/manifests/${digestOf(manifest({ n: '1' }, subject))}`, {
      body: manifest({ n: '1' }, subject),
      headers,
    })
    expect(put.headers.get('oci-subject')).toBe(subject.digest)
    const listed = await call('GET', `/v2/disc/referrers/${subject.digest}?artifactType=test/artifact`)
    expect(listed.headers.get('content-type')).toBe(mediaTypes.ociIndex)
    expect(listed.headers.get('oci-filters-applied')).toBe('artifactType')
    expect(((await listed.json()) as { manifests: object[] }).manifests).toMatchObject([
      { artifactType: 'test/artifact', annotations: { n: '1' } },
    ])
    const none = (await (await call('GET', `/v2/disc/referrers/${digestOf('none')}`)).json()) as { manifests: object[] }
    expect(none.manifests).toEqual([])
    expect((await call('GET', '/v2/disc/referrers/nonsense')).status).toBe(400)
  })
})

describe('management', () => {
  it('deletes tags, manifests and blobs', async () => {
    for (const bytes of [blob, config]) await upload('manage', bytes)
    const headers = { 'content-type': mediaTypes.ociManifest }
    for (const tag of ['a', 'b']) await call('PUT', `/v2/manage/manifests/${tag}`, { body: manifest(), headers })
    expect((await call('DELETE', '/v2/manage/manifests/a')).status).toBe(202)
    expect((await call('HEAD', '/v2/manage/manifests/a')).status).toBe(404)
    expect((await call('HEAD', '/v2/manage/manifests/b')).status).toBe(200)
    expect((await call('DELETE', `/v2/manage/manifests/${digestOf(manifest())}`)).status).toBe(202)
    expect((await call('HEAD', '/v2/manage/manifests/b')).status).toBe(404)
    expect((await call('DELETE', `/v2/manage/blobs/${digest}`)).status).toBe(202)
    expect((await call('HEAD', `/v2/manage/blobs/${digest}`)).status).toBe(404)
    for (const path of ['manifests/a', `blobs/${digest}`])
      expect((await call('DELETE', `/v2/manage/${path}`)).status).toBe(404)
  })
})
