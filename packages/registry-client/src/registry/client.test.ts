import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { copy } from '../copy/copy.ts'
import { MemoryImages } from '../layout/memory.ts'
import { digestOf } from '../model/digest.ts'
import { mediaTypes } from '../model/media-types.ts'
import { referrersTag } from '../model/referrer.ts'
import { start } from '../testing/start.ts'

const layer = randomBytes(1000)

describe('resolve', () => {
  it('needs one HEAD, and falls back to GET', async () => {
    await using one = await start()
    const { descriptor } = one.registry.store.addImage('app', 'v1', [layer])
    const repository = one.client.repository(`${one.registry.host}/app:v1`)
    expect(await repository.resolve()).toEqual(descriptor)
    expect(one.registry.requests.map(({ method }) => method)).toEqual(['HEAD'])
    expect(one.registry.requests[0]!.headers).toMatchObject({ 'accept-encoding': 'identity' })
    expect(String(one.registry.requests[0]!.headers.accept).split(', ')).toHaveLength(4)
    await using other = await start({ features: { head: false } })
    const again = other.registry.store.addImage('app', 'v1', [layer])
    expect(await other.client.repository(`${other.registry.host}/app`).resolve('v1')).toEqual(again.descriptor)
  })

  it('does not trust what a HEAD says over what a GET gives', async () => {
    await using it = await start()
    it.registry.store.addImage('app', 'v1', [layer])
    const headers = {
      'content-type': mediaTypes.ociManifest,
      'docker-content-digest': digestOf('other'),
      'content-length': '5',
    }
    it.registry.inject({ method: 'HEAD', times: 9, fault: { kind: 'status', status: 200, headers } })
    const repository = it.client.repository(`${it.registry.host}/app`)
    const claimed = await repository.resolve('v1')
    await expect(repository.fetchManifest(claimed)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it.for([
    ['a digest that does not fit', (body: Buffer) => Buffer.concat([body, Buffer.from(' ')]), 'DIGEST_MISMATCH'],
    ['more than the limit', () => Buffer.alloc(5 << 20, ' '), 'MANIFEST_TOO_LARGE'],
    ['schema 1', () => Buffer.from('{"schemaVersion":1}'), 'MEDIA_TYPE_UNSUPPORTED'],
    ['HTML', () => Buffer.from('<html>'), 'MANIFEST_INVALID'],
  ] as const)('refuses %s', async ([, change, code]) => {
    await using it = await start()
    const { descriptor } = it.registry.store.addImage('app', 'v1', [layer])
    const stored = it.registry.store.repository('app').manifests.get(descriptor.digest)!
    const headers = { 'content-type': mediaTypes.ociManifest }
    const body = change(stored.bytes)
    it.registry.inject({
      method: 'GET',
      times: 9,
      fault: { kind: 'status', status: 200, headers, body },
    })
    const reference = code === 'DIGEST_MISMATCH' ? descriptor.digest : 'v1'
    await expect(it.client.repository(`${it.registry.host}/app`).fetchManifest(reference)).rejects.toMatchObject({
      code,
    })
  })

  it('reads at most the limit of an endless manifest', async () => {
    await using it = await start()
    let sent = 0
    it.registry.inject({
      times: 9,
      fault: {
        kind: 'handle',
        handle: (_request, response) => {
          response.writeHead(200, { 'content-type': mediaTypes.ociManifest })
          const more = () => {
            while (!response.destroyed && sent < 1e9 && response.write(Buffer.alloc(1 << 20, ' '))) sent += 1 << 20
            if (!response.destroyed) response.once('drain', more)
          }
          more()
          return true
        },
      },
    })
    await expect(it.client.repository(`${it.registry.host}/app`).fetchManifest('v1')).rejects.toMatchObject({
      code: 'MANIFEST_TOO_LARGE',
    })
    expect(sent).toBeLessThan(100e6)
  })

  it('says what was not found, and what the registry said', async () => {
    await using it = await start()
    const error = await it.client
      .repository(`${it.registry.host}/app`)
      .resolve('nope')
      .catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'NOT_FOUND', status: 404, message: `${it.registry.host}/app:nope: not found` })
    expect(error).toMatchObject({ registryErrors: [{ code: 'MANIFEST_UNKNOWN' }], attempts: 1 })
  })
})

describe('requests', () => {
  it('of a client that is closed fail as such', async () => {
    await using it = await start()
    await it.client.close()
    await expect(it.client.repository(`${it.registry.host}/app`).resolve('v1')).rejects.toMatchObject({
      code: 'CLOSED',
    })
  })

  it('a push of four blobs takes at most fourteen', async () => {
    await using it = await start(
      { auth: { kind: 'basic', users: { u: 'p' } } },
      { credentials: () => ({ username: 'u', password: 'p' }) },
    )
    await using from = await start()
    from.registry.store.addImage('app', 'v1', [randomBytes(10), randomBytes(20), randomBytes(30)])
    const images = new MemoryImages()
    await copy(from.client.repository(`${from.registry.host}/app`), 'v1', images, 'v1')
    await copy(images, 'v1', it.client.repository(`${it.registry.host}/app`), 'v1')
    expect(it.registry.requests.length).toBeLessThanOrEqual(14)
  })

  it('a copy within a registry mounts', async () => {
    await using it = await start()
    it.registry.store.addImage('app', 'v1', [layer])
    const { blobs } = await copy(
      it.client.repository(`${it.registry.host}/app`),
      'v1',
      it.client.repository(`${it.registry.host}/other`),
      'v2',
    )
    expect(blobs).toEqual({ exists: 0, mounted: 2, uploaded: 0 })
    expect(it.registry.count('GET', /blobs/)).toBe(0)
  })

  it('several tags are set by one request where that is possible', async () => {
    await using able = await start()
    await using plainOne = await start({ features: { multiTag: false } })
    for (const { registry, client } of [able, plainOne]) {
      const { descriptor } = registry.store.addImage('app', 'v1', [layer])
      const { bytes } = await client.repository(`${registry.host}/app`).fetchManifest('v1')
      await client
        .repository(`${registry.host}/app`)
        .pushManifest(bytes, descriptor.mediaType, { tags: ['a', 'b', 'c'] })
      for (const tag of ['a', 'b', 'c']) expect(registry.store.repository('app').tags.get(tag)).toBe(descriptor.digest)
    }
    expect(able.registry.count('PUT')).toBe(1)
    expect(plainOne.registry.count('PUT')).toBe(4)
  })
})

describe('authorization', () => {
  const users = { u: 'p' }
  const good = () => ({ username: 'u', password: 'p' })

  it.for([
    ['basic', { kind: 'basic', users }],
    ['bearer', { kind: 'bearer', users }],
    [
      'bearer with access_token and a float life',
      { kind: 'bearer', users, answer: (token: string) => ({ access_token: token, expires_in: 3.5 }) },
    ],
    ['bearer without a life', { kind: 'bearer', users, answer: (token: string) => ({ token }) }],
  ] as const)('%s', async ([, auth]) => {
    await using it = await start({ auth }, { credentials: good })
    const { descriptor } = it.registry.store.addImage('app', 'v1', [layer])
    const repository = it.client.repository(`${it.registry.host}/app`)
    await Promise.all(
      [1, 2, 3].map(async () => expect((await repository.resolve('v1')).digest).toBe(descriptor.digest)),
    )
    // One refusal taught the client; one token served all three.
    expect(it.registry.requests.filter(({ status }) => status === 401)).toHaveLength(1)
    expect(it.registry.count('GET', /token/)).toBe(auth.kind === 'bearer' ? 1 : 0)
    expect(JSON.stringify(it.events)).not.toContain('p@')
    expect(it.events.some((event) => event.type === 'auth' && event.scheme === auth.kind)).toBe(true)
  })

  it('by a refresh token, and by GET where POST is unknown', async () => {
    for (const withoutOauth of [false, true]) {
      const auth = { kind: 'bearer', users: { '<token>': 'r' }, refreshTokens: { u: 'r' }, withoutOauth } as const
      await using it = await start({ auth }, { credentials: () => ({ identityToken: 'r' }) })
      it.registry.store.addImage('app', 'v1', [layer])
      await it.client.repository(`${it.registry.host}/app`).resolve('v1')
      expect(it.registry.count('POST', /token/)).toBe(1)
      expect(it.registry.count('GET', /token/)).toBe(withoutOauth ? 1 : 0)
    }
  })

  it.for([
    ['basic', { kind: 'basic', users }],
    ['bearer', { kind: 'bearer', users }],
  ] as const)('fails soon with wrong credentials (%s)', async ([, auth]) => {
    await using it = await start({ auth }, { credentials: () => ({ username: 'u', password: 'wrong' }) })
    await expect(it.client.repository(`${it.registry.host}/app`).resolve('v1')).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    })
    expect(it.registry.requests.length).toBeLessThanOrEqual(3)
  })

  it('never leaves the origin: not on redirects, not to upload locations, not to foreign realms', async () => {
    await using thief = await start()
    await using it = await start({ auth: { kind: 'basic', users } }, { credentials: good })
    const { manifest } = it.registry.store.addImage('app', 'v1', [layer])
    thief.registry.store.repositories.set('app', it.registry.store.repository('app'))
    const repository = it.client.repository(`${it.registry.host}/app`)
    await repository.resolve('v1')
    it.registry.inject({
      method: 'GET',
      path: /blobs/,
      fault: { kind: 'redirect', to: (path) => thief.registry.url + path },
    })
    for await (const chunk of repository.openBlob(manifest.layers[0]!)) expect(chunk.equals(layer)).toBe(true)
    it.registry.inject({
      method: 'POST',
      fault: { kind: 'status', status: 202, headers: { location: `${thief.registry.url}/v2/app/blobs/uploads/x` } },
    })
    const other = Buffer.from('other')
    await repository
      .pushBlob({ mediaType: 'x', digest: digestOf(other), size: 5 }, async function* () {
        yield other
      })
      .catch(() => undefined)
    expect(thief.registry.requests.length).toBeGreaterThan(1)
    expect(thief.registry.requests.some(({ headers }) => headers.authorization !== undefined)).toBe(false)
    await using lured = await start(
      { auth: { kind: 'bearer', realm: 'http://example.invalid/token', users } },
      { credentials: good },
    )
    await expect(lured.client.repository(`${lured.registry.host}/app`).resolve('v1')).rejects.toMatchObject({
      code: 'REALM_REFUSED',
    })
  })

  it('can be checked without being used', async () => {
    await using it = await start({ auth: { kind: 'bearer', users } })
    await it.client.checkCredentials(it.registry.host, good())
    await expect(it.client.checkCredentials(it.registry.host, { username: 'u', password: 'x' })).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    })
  })
})

describe('lists', () => {
  it('of tags go on over pages, with Link and without', async () => {
    await using it = await start()
    const { descriptor } = it.registry.store.addImage('app', 'v0', [layer])
    for (let n = 1; n < 25; n++) it.registry.store.repository('app').tags.set(`v${n}`, descriptor.digest)
    const repository = it.client.repository(`${it.registry.host}/app`)
    expect(await Array.fromAsync(repository.tags())).toHaveLength(25)
    expect(new Set(await Array.fromAsync(repository.tags({ pageSize: 10 }))).size).toBe(25)
    expect(it.registry.count('GET', /tags/)).toBe(4)
    expect(await Array.fromAsync(repository.tags({ after: 'v8' }))).toEqual(['v9'])
    await expect(Array.fromAsync(it.client.repository(`${it.registry.host}/none`).tags())).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
  })

  it.for([true, false])('of referrers (API: %s) survive contention, filter, and follow deletion', async (referrers) => {
    await using it = await start({ features: { referrers } })
    const { descriptor: subject } = it.registry.store.addImage('app', 'v1', [layer])
    const repository = it.client.repository(`${it.registry.host}/app`)
    const config = it.registry.store.addBlob('app', Buffer.from('{}'), mediaTypes.ociEmpty)
    const attach = (n: number) => {
      const artifact = {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        artifactType: `t/${n % 2}`,
        config,
        layers: [],
        subject,
        annotations: { n: String(n) },
      }
      return repository.pushManifest(Buffer.from(JSON.stringify(artifact)), mediaTypes.ociManifest)
    }
    const [first] = await Promise.all([1, 2, 3, 4, 5, 6].map(attach))
    const all = await Array.fromAsync(repository.referrers(subject))
    expect(all.map(({ annotations }) => annotations?.n).sort()).toEqual(['1', '2', '3', '4', '5', '6'])
    expect(await Array.fromAsync(repository.referrers(subject, { artifactType: 't/1' }))).toHaveLength(3)
    expect(it.registry.store.repository('app').tags.has(referrersTag(subject.digest))).toBe(!referrers)
    await repository.deleteManifest(first!.digest)
    expect(await Array.fromAsync(repository.referrers(subject))).toHaveLength(5)
    expect(await Array.fromAsync(repository.referrers({ digest: digestOf('none') }))).toEqual([])
    const images = new MemoryImages()
    await copy(repository, 'v1', images, 'v1', { referrers: true })
    expect(await Array.fromAsync(images.referrers(subject))).toHaveLength(5)
  })
})

describe('blobs', () => {
  it('in parallel ranges', async () => {
    await using it = await start({}, { parallelRanges: 3 })
    const big = randomBytes(40 << 20)
    const { manifest } = it.registry.store.addImage('app', 'v1', [big])
    it.registry.inject({ method: 'GET', path: /blobs/, fault: { kind: 'reset', afterBytes: 1000 } })
    const chunks = await Array.fromAsync(it.client.repository(`${it.registry.host}/app`).openBlob(manifest.layers[0]!))
    expect(Buffer.concat(chunks).equals(big)).toBe(true)
    expect(it.registry.requests.filter(({ headers }) => headers.range !== undefined).length).toBeGreaterThan(1)
  })

  it('of unknown digest', async () => {
    await using it = await start()
    const expected = await it.client.repository(`${it.registry.host}/app`).uploadStream(
      (async function* () {
        yield Buffer.from('some ')
        yield Buffer.from('content')
      })(),
    )
    expect(expected).toEqual({ digest: digestOf('some content'), size: 12 })
    expect(it.registry.store.repository('app').blobs.get(expected.digest)?.toString()).toBe('some content')
  })

  it.for(['sha384', 'sha512'] as const)('with %s', async (algorithm) => {
    await using it = await start()
    const descriptor = { mediaType: 'x', digest: digestOf(layer, algorithm), size: layer.length }
    const repository = it.client.repository(`${it.registry.host}/app`)
    await repository.pushBlob(descriptor, async function* () {
      yield layer
    })
    expect(Buffer.concat(await Array.fromAsync(repository.openBlob(descriptor))).equals(layer)).toBe(true)
  })

  it('are deleted, and upload sessions of aborted pushes too', async () => {
    await using it = await start()
    const { manifest } = it.registry.store.addImage('app', 'v1', [layer])
    const repository = it.client.repository(`${it.registry.host}/app`)
    await repository.deleteBlob(manifest.layers[0]!.digest)
    expect(await repository.hasBlob(manifest.layers[0]!)).toBe(false)
    const controller = new AbortController()
    const endless = async function* () {
      yield layer.subarray(0, 10)
      controller.abort(new Error('enough'))
      yield layer.subarray(10)
    }
    await expect(repository.pushBlob(manifest.layers[0]!, endless, { signal: controller.signal })).rejects.toThrow(
      'enough',
    )
    expect(it.registry.store.repository('app').uploads.size).toBe(0)
  })
})

describe('events', () => {
  it('tell of retries and warnings, once each', async () => {
    await using it = await start()
    it.registry.store.addImage('app', 'v1', [layer])
    const warning = { warning: '299 - "going away"' }
    it.registry.inject(
      { fault: { kind: 'status', status: 503, headers: warning } },
      { fault: { kind: 'status', status: 503, headers: warning } },
    )
    await it.client.repository(`${it.registry.host}/app`).resolve('v1')
    expect(it.events.filter(({ type }) => type === 'warning')).toEqual([
      { type: 'warning', host: it.registry.host, message: 'going away' },
    ])
    expect(it.events.filter(({ type }) => type === 'retry')).toHaveLength(2)
    expect(it.events.filter(({ type }) => type === 'request')).toHaveLength(3)
  })
})
