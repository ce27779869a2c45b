import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { MemoryImages } from '../layout/memory.ts'
import { OciLayout } from '../layout/oci-layout.ts'
import type { Descriptor, Index } from '../model/descriptor.ts'
import { digestOf } from '../model/digest.ts'
import { mediaTypes } from '../model/media-types.ts'
import { RegistryClient } from '../registry/client.ts'
import type { TestRegistry } from '../testing/index.ts'
import { plain, start } from '../testing/start.ts'
import { temporaryDirectory } from '../testing/temporary.ts'
import { copy } from './copy.ts'

const layer = randomBytes(1000)

describe('copy', () => {
  async function index(it: TestRegistry): Promise<Descriptor> {
    const entries = ['amd64', 'arm64'].map((architecture) => {
      const { descriptor } = it.store.addImage('multi', architecture, [randomBytes(100)])
      return { ...descriptor, platform: { os: 'linux', architecture } }
    })
    const document: Index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries }
    return it.store.addManifest('multi', document, 'latest')
  }

  it('takes all platforms, or one', async () => {
    await using it = await start()
    const root = await index(it.registry)
    const source = it.client.repository(`${it.registry.host}/multi`)
    const all = new MemoryImages()
    expect(await copy(source, 'latest', all, ['a', 'b'])).toMatchObject({
      descriptor: { digest: root.digest },
      manifests: 3,
      blobs: { uploaded: 4 },
    })
    const one = new MemoryImages()
    const result = await copy(source, 'latest', one, 'a', { platform: { os: 'linux', architecture: 'arm64' } })
    expect(result).toMatchObject({ manifests: 1, blobs: { uploaded: 2 } })
    const missing = copy(source, 'latest', one, 'a', { platform: { os: 'linux', architecture: 's390x' } })
    await expect(missing).rejects.toMatchObject({
      code: 'PLATFORM_NOT_FOUND',
      message: expect.stringContaining('linux/amd64, linux/arm64'),
    })
  })

  it('keeps digests of other algorithms, everywhere', async () => {
    await using it = await start()
    await using folder = await temporaryDirectory()
    const images = new MemoryImages()
    const { manifest } = it.registry.store.addImage('app', 'v1', [layer])
    for (const bytes of [Buffer.from('{}'), layer]) images.addBlob(bytes)
    const config = { ...manifest.config, digest: digestOf('{}'), size: 2 }
    const bytes = Buffer.from(JSON.stringify({ ...manifest, config }))
    const child = await images.pushManifest(bytes, mediaTypes.ociManifest, { algorithm: 'sha512' })
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] }
    await images.pushManifest(Buffer.from(JSON.stringify(index)), mediaTypes.ociIndex, { tags: ['v1'] })
    const repository = it.client.repository(`${it.registry.host}/sha512`)
    const layout = await OciLayout.create(folder.path)
    await copy(images, 'v1', repository, 'v1')
    await copy(repository, 'v1', layout, 'v1')
    await copy(layout, child.digest, repository, 'child')
    for (const place of [repository, layout]) expect((await place.fetchManifest(child)).bytes.equals(bytes)).toBe(true)
  })

  it('refuses indexes that go too deep', async () => {
    await using it = await start()
    let inner: Descriptor = it.registry.store.addImage('deep', 'x', [layer]).descriptor
    for (let n = 0; n < 8; n++)
      inner = it.registry.store.addManifest(
        'deep',
        { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [inner] },
        'latest',
      )
    const images = new MemoryImages()
    await expect(copy(it.client.repository(`${it.registry.host}/deep`), 'latest', images, 'x')).rejects.toMatchObject({
      code: 'INDEX_TOO_DEEP',
    })
    expect(images.tags()).toEqual([])
  })

  it('sends children before parents and names last', async () => {
    await using from = await start()
    await using to = await start()
    await index(from.registry)
    await copy(
      from.client.repository(`${from.registry.host}/multi`),
      'latest',
      to.client.repository(`${to.registry.host}/multi`),
      'latest',
    )
    const puts = to.registry.requests
      .filter(({ method, status }) => method === 'PUT' && status === 201)
      .map(({ path }) => (path.includes('/blobs/') ? 'blob' : path.endsWith('/latest') ? 'name' : 'manifest'))
    expect(puts).toEqual([...Array(4).fill('blob'), 'manifest', 'manifest', 'name'])
  })

  it('stops everything on its way when it is aborted', async () => {
    await using it = await start()
    it.registry.store.addImage('app', 'v1', [randomBytes(3 << 20), randomBytes(3 << 20)])
    it.registry.inject({ method: 'GET', path: /blobs/, times: 9, fault: { kind: 'stall', afterBytes: 1000 } })
    const images = new MemoryImages()
    const copying = copy(it.client.repository(`${it.registry.host}/app`), 'v1', images, 'v1', {
      signal: AbortSignal.timeout(100),
    })
    await expect(copying).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(images.tags()).toEqual([])
  })

  it('leaves foreign layers where they are, and does not follow their URLs uninvited', async () => {
    await using canary = await start()
    await using it = await start()
    const { manifest } = it.registry.store.addImage('app', 'v1', [layer])
    const foreign: Descriptor = {
      mediaType: mediaTypes.ociForeignLayerGzip,
      digest: digestOf('foreign'),
      size: 7,
      urls: [`${canary.registry.url}/layer`],
    }
    it.registry.store.addManifest('app', { ...manifest, layers: [...manifest.layers, foreign] }, 'v2')
    const repository = it.client.repository(`${it.registry.host}/app`)
    const images = new MemoryImages()
    expect(await copy(repository, 'v2', images, 'v2')).toMatchObject({ blobs: { uploaded: 2 } })
    await expect(Array.fromAsync(repository.openBlob(foreign))).rejects.toMatchObject({ code: 'FOREIGN_REFUSED' })
    await using allowing = new RegistryClient({ ...plain, foreignLayers: { allow: true } })
    await expect(
      Array.fromAsync(allowing.repository(`${it.registry.host}/app`).openBlob(foreign)),
    ).rejects.toMatchObject({ code: 'FOREIGN_REFUSED' })
    expect(canary.registry.requests).toEqual([])
    await using trusting = new RegistryClient({ ...plain, foreignLayers: { allow: true, allowPrivate: true } })
    canary.registry.inject({ fault: { kind: 'status', status: 200, body: 'foreign' } })
    expect(
      Buffer.concat(await Array.fromAsync(trusting.repository(`${it.registry.host}/app`).openBlob(foreign))).toString(),
    ).toBe('foreign')
  })
})
