import { describe, expect, it } from 'vitest'
import { MemoryImages } from '../layout/memory.ts'
import { digestOf } from '../model/digest.ts'
import { mediaTypes } from '../model/media-types.ts'
import { start } from '../testing/start.ts'
import { mergeImages } from './merge.ts'

/** An image of one layer for a platform, under a name. */
async function image(name: string, platform: Record<string, unknown>, images = new MemoryImages()) {
  const put = async (mediaType: string, text: string) => {
    const bytes = Buffer.from(text)
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length }
    await images.pushBlob(descriptor, async function* () {
      yield bytes
    })
    return descriptor
  }
  const config = await put(
    mediaTypes.ociConfig,
    JSON.stringify({ ...platform, rootfs: { type: 'layers', diff_ids: [digestOf(Buffer.from(name))] } }),
  )
  const layers = [await put(mediaTypes.ociLayer, name)]
  const mediaType = mediaTypes.ociManifest
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }))
  return { images, descriptor: await images.pushManifest(manifest, mediaType, { tags: [name] }) }
}

const amd64 = { os: 'linux', architecture: 'amd64' }
const arm = { os: 'linux', architecture: 'arm', variant: 'v7' }

describe('images are merged', () => {
  it('into an index of them, from other places and from indexes', async () => {
    await using place = await start()
    const [one, two] = [await image('one', amd64), await image('two', arm)]
    const target = place.client.repository(`${place.registry.host}/app`)
    const sources = [one, two].map(({ images }, i) => ({ source: images, reference: ['one', 'two'][i]! }))
    const { descriptor, manifests } = await mergeImages(sources, target, ['a', 'b'], { annotations: { k: 'v' } })
    expect(manifests).toEqual([
      { ...one.descriptor, platform: amd64 },
      { ...two.descriptor, platform: arm },
    ])
    for (const tag of ['a', 'b']) expect((await target.resolve(tag)).digest).toBe(descriptor.digest)
    const { bytes } = await target.fetchManifest('a')
    expect(JSON.parse(bytes.toString())).toMatchObject({ mediaType: mediaTypes.ociIndex, annotations: { k: 'v' } })

    // What is in the index already is listed once.
    const again = await mergeImages(
      [
        { source: target, reference: 'a' },
        { source: target, reference: one.descriptor.digest },
      ],
      target,
      ['c'],
    )
    expect(again.manifests).toEqual(manifests)
  })

  it('but not two for one platform, and then nothing is named', async () => {
    await using place = await start()
    const [one, two] = [await image('one', amd64), await image('two', amd64)]
    const target = place.client.repository(`${place.registry.host}/app`)
    const sources = [
      { source: one.images, reference: 'one' },
      { source: two.images, reference: 'two' },
    ]
    await expect(mergeImages(sources, target, ['a'])).rejects.toMatchObject({ code: 'PLATFORM_TWICE' })
    await expect(target.resolve('a')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})
