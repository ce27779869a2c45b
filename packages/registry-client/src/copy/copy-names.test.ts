import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { MemoryImages } from '../layout/memory.ts'
import { OciLayout } from '../layout/oci-layout.ts'
import { companionTag } from '../model/companions.ts'
import type { Descriptor, Index } from '../model/descriptor.ts'
import { digestOf } from '../model/digest.ts'
import { mediaTypes } from '../model/media-types.ts'
import type { TestRegistry } from '../testing/index.ts'
import { start } from '../testing/start.ts'
import { temporaryDirectory } from '../testing/temporary.ts'
import { copy } from './copy.ts'

const linux = (architecture: string) => ({ os: 'linux', architecture })

function multi(registry: TestRegistry, repository = 'app'): { root: Descriptor; entries: Descriptor[] } {
  const entries = ['amd64', 'arm64'].map((architecture) => {
    const { descriptor } = registry.store.addImage(repository, architecture, [randomBytes(100)])
    return { ...descriptor, platform: linux(architecture) }
  })
  const document: Index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries }
  return { root: registry.store.addManifest(repository, document, 'v1'), entries }
}

const writes = (registry: TestRegistry) =>
  registry.requests.filter(({ method }) => !['GET', 'HEAD'].includes(method)).map(({ method, path }) => [method, path])

describe('a name with a digest', () => {
  it('is compared before the first byte is sent', async () => {
    await using it = await start()
    const { root } = multi(it.registry)
    const other = it.registry.store.addImage('other', 'v1', [randomBytes(100)]).descriptor
    it.registry.reset()
    const source = it.client.repository(`${it.registry.host}/other:v1`)
    for (const [reference, tags] of [
      [`app:v1@${root.digest}`, ['v1']],
      [`app@${root.digest}`, []],
    ] as const)
      await expect(
        copy(source, 'v1', it.client.repository(`${it.registry.host}/${reference}`), tags),
      ).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
    await expect(
      copy(source, 'v1', it.client.repository(`${it.registry.host}/app`), 'v1', { digest: root.digest }),
    ).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
    expect(writes(it.registry)).toEqual([])
    expect(it.registry.store.repository('app').tags.get('v1')).toBe(root.digest)
    const fitting = it.client.repository(`${it.registry.host}/app:new@${other.digest}`)
    expect((await copy(source, 'v1', fitting, 'new')).descriptor.digest).toBe(other.digest)
  })

  it('is not given to other content by a push either', async () => {
    await using it = await start()
    const { root } = multi(it.registry)
    const target = it.client.repository(`${it.registry.host}/app:v1@${root.digest}`)
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }))
    await expect(target.pushManifest(bytes, mediaTypes.ociIndex, { tags: ['v1'] })).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
    expect(it.registry.store.repository('app').tags.get('v1')).toBe(root.digest)
  })
})

describe('one platform', () => {
  it('may be all that is taken of an index that stays as it is', async () => {
    await using it = await start()
    const { root, entries } = multi(it.registry)
    const images = new MemoryImages()
    const options = { platform: linux('arm64'), keepIndex: true }
    const source = it.client.repository(`${it.registry.host}/app`)
    expect(await copy(source, 'v1', images, 'v1', options)).toMatchObject({
      descriptor: { digest: root.digest },
      manifests: 2,
      blobs: { uploaded: 2 },
    })
    await images.fetchManifest(entries[1]!)
    await expect(images.fetchManifest(entries[0]!)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('that a single image is not of is an error', async () => {
    await using it = await start()
    it.registry.store.addImage('one', 'v1', [randomBytes(100)])
    const source = it.client.repository(`${it.registry.host}/one`)
    for (const keepIndex of [false, true]) {
      const images = new MemoryImages()
      await expect(copy(source, 'v1', images, 'v1', { platform: linux('arm64'), keepIndex })).rejects.toMatchObject({
        code: 'PLATFORM_NOT_FOUND',
        message: expect.stringContaining('linux/amd64'),
      })
      await copy(source, 'v1', images, 'v1', { platform: linux('amd64'), keepIndex })
      await copy(source, 'v1', images, 'v1', { platform: linux('arm64'), keepIndex, platformOptional: true })
    }
  })
})

describe('what refers to an image', () => {
  it.for([true, false])("is copied with it, cosign's tags included (referrers API: %s)", async (referrers) => {
    await using it = await start({ features: { referrers } })
    await using folder = await temporaryDirectory()
    const { root, entries } = multi(it.registry)
    const { store, host } = it.registry
    const source = it.client.repository(`${host}/app`)
    const attach = async (subject: Descriptor, kind: 'sig' | 'att' | 'sbom') => {
      const layer = store.addBlob('app', randomBytes(50), 'application/vnd.dev.cosign.simplesigning.v1+json')
      const config = store.addBlob('app', Buffer.from('{}'), mediaTypes.ociConfig)
      const document = { schemaVersion: 2 as const, mediaType: mediaTypes.ociManifest, config, layers: [layer] }
      return store.addManifest('app', document, companionTag({ subject: subject.digest, kind }))
    }
    const signature = await attach(root, 'sig')
    const expected = [signature, await attach(entries[0]!, 'att'), await attach(root, 'sbom')]
    expected.push(await attach(signature, 'sig'))
    const empty = store.addBlob('app', Buffer.from('{}'), mediaTypes.ociEmpty)
    const named = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: empty, layers: [], subject: root }
    expected.push(await source.pushManifest(Buffer.from(JSON.stringify(named)), mediaTypes.ociManifest))
    // Around through every kind of place, and each time all of them are there.
    const places = [new MemoryImages(), await OciLayout.create(folder.path), it.client.repository(`${host}/back`)]
    let from: MemoryImages | OciLayout | typeof source = source
    for (const place of places) {
      const result = await copy(from, 'v1', place, 'v1', { referrers: true })
      expect(result).toMatchObject({ descriptor: { digest: root.digest }, manifests: 3 + expected.length })
      for (const descriptor of expected) await place.fetchManifest(descriptor)
      from = place
    }
    const back = store.repository('back')
    expect(back.tags.get(companionTag({ subject: root.digest, kind: 'sig' }))).toBe(signature.digest)
    // The layout still has one image, by its one name or by none.
    expect((await places[1]!.resolve('')).digest).toBe(root.digest)
  })
})

describe('manifests of old kinds', () => {
  it('are called what they are, wherever they are met', async () => {
    await using it = await start()
    const { store, host } = it.registry
    const artifact = Buffer.from(JSON.stringify({ mediaType: mediaTypes.ociArtifact, blobs: [] }))
    const schema1 = Buffer.from(JSON.stringify({ schemaVersion: 1, name: 'x', fsLayers: [] }))
    for (const [bytes, mediaType, hint] of [
      [artifact, mediaTypes.ociArtifact, 'artifact manifests were taken back'],
      [schema1, mediaTypes.dockerSchema1Signed, 'schema 1 is obsolete'],
    ] as const) {
      const digest = digestOf(bytes)
      store.repository('old').manifests.set(digest, { bytes, mediaType })
      store.repository('old').tags.set('v1', digest)
      const index = { schemaVersion: 2 as const, mediaType: mediaTypes.ociIndex, manifests: [] as Descriptor[] }
      index.manifests.push({ mediaType, digest, size: bytes.length })
      store.addManifest('old', index, 'index')
      const repository = it.client.repository(`${host}/old`)
      const refused = { code: 'MEDIA_TYPE_UNSUPPORTED', hint: expect.stringContaining(hint) }
      await expect(repository.resolve('v1')).rejects.toMatchObject(refused)
      await expect(repository.fetchManifest('v1')).rejects.toMatchObject(refused)
      await expect(copy(repository, 'index', new MemoryImages(), 'x')).rejects.toMatchObject(refused)
    }
  })
})

describe('layers that are to be had elsewhere', () => {
  it('are copied when asked for', async () => {
    await using it = await start()
    const { store, host } = it.registry
    const layer = {
      ...store.addBlob('win', randomBytes(100), mediaTypes.dockerForeignLayer),
      urls: ['https://example.com/layer'],
    }
    const config = store.addBlob('win', Buffer.from('{}'), mediaTypes.dockerConfig)
    store.addManifest('win', { schemaVersion: 2, mediaType: mediaTypes.dockerManifest, config, layers: [layer] }, 'v1')
    const source = it.client.repository(`${host}/win`)
    for (const nondistributable of [false, true]) {
      const images = new MemoryImages()
      await copy(source, 'v1', images, 'v1', { nondistributable })
      expect(await images.hasBlob(layer)).toBe(nondistributable)
    }
  })
})

describe('tags', () => {
  it('go on after an empty page that names a next one', async () => {
    await using it = await start()
    it.registry.store.addImage('app', 'b', [])
    const page = (tags: string[], last: string) => ({
      path: new RegExp(`tags/list${last === '' ? '$' : `\\?last=${last}`}`),
      fault: {
        kind: 'status' as const,
        status: 200,
        body: JSON.stringify({ name: 'app', tags }),
        headers: last === '2' ? {} : { link: `</v2/app/tags/list?last=${Number(last || 0) + 1}>; rel="next"` },
      },
    })
    it.registry.inject(page([], ''), page(['a'], '1'), page([], '2'))
    expect(await Array.fromAsync(it.client.repository(`${it.registry.host}/app`).tags())).toEqual(['a'])
    expect(it.registry.count('GET', /tags/)).toBe(3)
  })
})
