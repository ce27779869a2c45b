import { createHash, type Hash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { copy, MemoryImages, mediaTypes } from '@tsbuild/registry-client'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openStore, type Store } from '../store/index.ts'
import { ImageStore } from './image-store.ts'

let dir: string
let store: Store
let images: ImageStore
/** What is copied into the store. */
let memory: MemoryImages
let ids: { manifest: string; config: string }

const NOW = Date.UTC(2026, 0, 1)

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tsbuild-image-store-'))
  store = await openStore(join(dir, 'root'))
  images = new ImageStore(store, () => NOW)
  memory = new MemoryImages()
  ids = await add('one')
})

afterEach(() => rm(dir, { recursive: true }))

async function add(content: string): Promise<{ manifest: string; config: string }> {
  const layer = memory.addBlob(Buffer.from(content), mediaTypes.ociLayerGzip)
  const document = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [layer.digest] } }
  const config = memory.addBlob(Buffer.from(JSON.stringify(document)), mediaTypes.ociConfig)
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }
  const { digest } = await memory.pushManifest(Buffer.from(JSON.stringify(manifest)), mediaTypes.ociManifest, {
    tags: [content],
  })
  return { manifest: digest, config: config.digest }
}

describe('ImageStore', () => {
  it('takes images in under their full names and hands them out again', async () => {
    const transferred: number[] = []
    const { descriptor, blobs } = await copy(memory, 'one', images, ['app', 'r.example/app:2'], {
      onProgress: (progress) => transferred.push(progress.transferred),
    })
    expect(blobs).toEqual({ exists: 0, mounted: 0, uploaded: 2 })
    expect(transferred.some((bytes) => bytes > 0)).toBe(true)
    expect(await images.list()).toEqual([
      { name: 'docker.io/library/app:latest', descriptor, tagged: NOW },
      { name: 'r.example/app:2', descriptor, tagged: NOW },
    ])
    const again = new MemoryImages()
    expect((await copy(images, 'app', again, 'x')).descriptor.digest).toBe(ids.manifest)
    expect((await copy(memory, 'one', images, 'app')).blobs).toMatchObject({ exists: 2, uploaded: 0 })
  })

  it('hashes what comes in and goes out once', async () => {
    const size = 4 << 20
    await add('x'.repeat(size))
    const prototype = Object.getPrototypeOf(createHash('sha256')) as {
      update(data: string | NodeJS.ArrayBufferView): Hash
    }
    const { update } = prototype
    let hashed = 0
    const spy = vi.spyOn(prototype, 'update')
    spy.mockImplementation(function (this: Hash, data) {
      hashed += typeof data === 'string' ? data.length : data.byteLength
      return update.call(this, data)
    })
    try {
      const reference = memory.tags().at(-1)!
      await copy(memory, reference, images, 'big')
      expect(hashed).toBeGreaterThan(size)
      expect(hashed).toBeLessThan(size * 1.1)
      await copy(images, 'big', new MemoryImages(), 'x')
      expect(hashed).toBeLessThan(size * 2.1)
    } finally {
      spy.mockRestore()
    }
  })

  it('finds images by name, digest, id and the begin of either', async () => {
    await copy(memory, 'one', images, 'app')
    const hex = (digest: string) => digest.slice('sha256:'.length)
    for (const reference of [
      'app',
      'app:latest',
      'docker.io/library/app',
      ids.manifest,
      ids.config,
      hex(ids.manifest),
      hex(ids.manifest).slice(0, 12),
      hex(ids.config).slice(0, 6),
      `sha256:${hex(ids.config).slice(0, 20)}`,
    ]) {
      expect((await images.resolve(reference)).digest, reference).toBe(ids.manifest)
    }
    for (const reference of ['other', 'app:2', hex(ids.manifest).slice(0, 5), `sha256:${'0'.repeat(64)}`]) {
      await expect(images.resolve(reference), reference).rejects.toMatchObject({ code: 'IMAGE_UNKNOWN' })
    }
    await expect(images.resolve('UPPER')).rejects.toMatchObject({ code: 'REFERENCE_INVALID' })
  })

  it('takes a digest behind a name as what the name has to be', async () => {
    await copy(memory, 'one', images, ['app:1', 'app:also'])
    const two = await add('two')
    await copy(memory, 'two', images, 'app:2')
    for (const reference of [`app:1@${ids.manifest}`, `app@${ids.manifest}`, `docker.io/library/app:1@${ids.manifest}`])
      expect((await images.resolve(reference)).digest, reference).toBe(ids.manifest)
    expect(await store.images.resolve(`docker.io/library/app:2@${two.manifest}`)).toMatchObject({
      digest: two.manifest,
    })
    expect(await store.images.resolve(`docker.io/library/app:1@${two.manifest}`)).toBeUndefined()
    const before = await images.list()
    const wrong = `app:1@${two.manifest}`
    for (const use of [
      () => images.resolve(wrong),
      () => images.tag(wrong, 'new'),
      () => images.untag(wrong),
      () => images.fetchManifest(wrong),
    ])
      await expect(use()).rejects.toMatchObject({
        code: 'IMAGE_NAME_MISMATCH',
        message: expect.stringMatching(`${two.manifest}.*${ids.manifest}`),
      })
    for (const unknown of [`other@${ids.manifest}`, `app:3@${ids.manifest}`, `app@sha256:${'0'.repeat(64)}`])
      await expect(images.resolve(unknown), unknown).rejects.toMatchObject({ code: 'IMAGE_UNKNOWN' })
    await expect(images.untag(`app@${ids.manifest}`)).rejects.toMatchObject({
      hint: expect.stringContaining('app:also'),
    })
    expect(await images.list()).toEqual(before)
    expect(await images.untag(`app:1@${ids.manifest}`)).toBe('docker.io/library/app:1')
    expect(await images.untag(`app@${ids.manifest}`)).toBe('docker.io/library/app:also')
  })

  it('moves a name from one image to another, and takes it away', async () => {
    await copy(memory, 'one', images, 'app')
    await add('two')
    const { descriptor } = await copy(memory, 'two', images, 'other')
    expect(await images.tag('other', 'app')).toBe('docker.io/library/app:latest')
    expect((await images.resolve('app')).digest).toBe(descriptor.digest)
    expect(await images.untag('app')).toBe('docker.io/library/app:latest')
    await expect(images.untag('app')).rejects.toMatchObject({ code: 'IMAGE_UNKNOWN' })
    await expect(images.tag('app', 'x')).rejects.toMatchObject({ code: 'IMAGE_UNKNOWN' })
  })

  it('keeps what refers to an image with it, and digests of other algorithms', async () => {
    const child = await memory.fetchManifest('one')
    const entry = await memory.pushManifest(child.bytes, mediaTypes.ociManifest, { algorithm: 'sha512' })
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry] }
    const root = await memory.pushManifest(Buffer.from(JSON.stringify(index)), index.mediaType, { tags: ['all'] })
    const empty = memory.addBlob(Buffer.from('{}'), mediaTypes.ociEmpty)
    const note = (more: object) =>
      Buffer.from(
        JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: empty, layers: [], ...more }),
      )
    const referrer = await memory.pushManifest(note({ subject: entry }), mediaTypes.ociManifest)
    const companionOf = [{ subject: root.digest, kind: 'sig' as const }]
    const signature = await memory.pushManifest(note({}), mediaTypes.ociManifest, { companionOf })
    for (let times = 0; times < 2; times++)
      expect((await copy(memory, 'all', images, 'app', { referrers: true })).descriptor.digest).toBe(root.digest)
    expect(await images.list()).toHaveLength(1)
    const back = new MemoryImages()
    await copy(images, 'app', back, 'x', { referrers: true })
    for (const descriptor of [root, entry, referrer, signature])
      expect((await back.fetchManifest(descriptor)).bytes).toEqual((await memory.fetchManifest(descriptor)).bytes)
    expect(await store.images.attachments()).toHaveLength(2)
    expect((await store.images.roots()).map(({ digest }) => digest)).toEqual([root.digest])
    await store.images.detach(new Set())
    expect(await store.images.attachments()).toEqual([])
  })

  it('gives a name with a digest to that content only', async () => {
    const name = `app@sha256:${'0'.repeat(64)}`
    await expect(copy(memory, 'one', images, name)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
    await copy(memory, 'one', images, `app:v1@${ids.manifest}`)
    await expect(images.tag(ids.manifest, name)).rejects.toMatchObject({ code: 'IMAGE_NAME_MISMATCH' })
    expect((await images.list()).map((image) => image.name)).toEqual([`docker.io/library/app:v1@${ids.manifest}`])
  })

  it('reads a blob from a byte on', async () => {
    await copy(memory, 'one', images, 'app')
    const { bytes } = await images.fetchManifest('app')
    const [layer] = (
      JSON.parse(bytes.toString()) as { layers: [{ digest: `sha256:${string}`; size: number; mediaType: string }] }
    ).layers
    const parts = await Array.fromAsync(images.openBlob(layer, { offset: 1 }))
    expect(Buffer.concat(parts).toString()).toBe('ne')
  })
})
