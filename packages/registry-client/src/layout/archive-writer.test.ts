import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { zstdCompressSync } from 'node:zlib'
import { extract } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { copy } from '../copy/copy.ts'
import type { Source } from '../model/content.ts'
import type { Descriptor, Index, Manifest } from '../model/descriptor.ts'
import { digestOf } from '../model/digest.ts'
import { mediaTypes } from '../model/media-types.ts'
import { hasProgram } from '../testing/docker-registry.ts'
import { temporaryDirectory } from '../testing/temporary.ts'
import { ImageArchive } from './archive-writer.ts'
import { DockerArchive } from './docker-archive.ts'
import { MemoryImages } from './memory.ts'
import { OciLayout } from './oci-layout.ts'

/** An image in memory, with what a test changes of its manifest. */
async function image(
  tag: string,
  change: (manifest: Manifest, images: MemoryImages) => object = (manifest) => manifest,
  images = new MemoryImages(),
): Promise<{ images: MemoryImages; descriptor: Descriptor }> {
  const layer = images.addBlob(randomBytes(1000), mediaTypes.ociLayer)
  const document = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [layer.digest] } }
  const config = images.addBlob(Buffer.from(JSON.stringify(document)), mediaTypes.ociConfig)
  const manifest = { schemaVersion: 2 as const, mediaType: mediaTypes.ociManifest, config, layers: [layer] }
  const bytes = Buffer.from(JSON.stringify(change(manifest, images), null, 3))
  return { images, descriptor: await images.pushManifest(bytes, mediaTypes.ociManifest, { tags: [tag] }) }
}

describe('archives for docker', () => {
  it.for([
    ['an artifact', (m: Manifest) => ({ ...m, config: { ...m.config, mediaType: 'application/x' } })],
    ['what refers to an image', (m: Manifest) => ({ ...m, subject: m.config })],
    [
      'signatures that look like an image',
      (m: Manifest) => ({
        ...m,
        layers: [{ ...m.layers[0]!, mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json' }],
      }),
    ],
    [
      'an image with an encrypted layer',
      (m: Manifest) => ({ ...m, layers: [{ ...m.layers[0]!, mediaType: `${mediaTypes.ociLayer}+encrypted` }] }),
    ],
    [
      'an image with a layer that is elsewhere',
      (m: Manifest) => ({
        ...m,
        layers: [
          {
            mediaType: mediaTypes.dockerForeignLayer,
            digest: digestOf('elsewhere'),
            size: 9,
            urls: ['https://example.com/x'],
          },
        ],
      }),
    ],
    ['an image whose config has other layers', (m: Manifest) => ({ ...m, layers: [...m.layers, ...m.layers] })],
  ] as const)('do not hold %s', async ([, change]) => {
    await using folder = await temporaryDirectory()
    const { images } = await image('v1', change)
    const write = async () => {
      await using archive = await ImageArchive.create(join(folder.path, 'a.tar'), { format: 'docker' })
      await copy(images, 'v1', archive, 'app:v1', { referrers: true })
      await archive.finish()
    }
    await expect(write()).rejects.toMatchObject({ code: expect.stringMatching('UNSUPPORTED|LAYOUT_INVALID') })
    expect(await readdir(folder.path)).toEqual([])
  })

  it('do not hold an image together with its signatures', async () => {
    await using folder = await temporaryDirectory()
    const { images, descriptor } = await image('v1')
    await image('x', (manifest) => ({ ...manifest, subject: descriptor }), images)
    const write = async (referrers: boolean) => {
      await using archive = await ImageArchive.create(join(folder.path, 'a.tar'), { format: 'docker' })
      await copy(images, 'v1', archive, 'app:v1', { referrers })
      await archive.finish()
    }
    await expect(write(true)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect(existsSync(join(folder.path, 'a.tar'))).toBe(false)
    await write(false)
  })

  it.for(['oci', 'docker'] as const)('and others (%s) are not finished without what they name', async (format) => {
    await using folder = await temporaryDirectory()
    const { images } = await image('v1')
    const { bytes, descriptor } = await images.fetchManifest('v1')
    await using archive = await ImageArchive.create(join(folder.path, 'a.tar'), { format })
    await archive.pushManifest(bytes, descriptor.mediaType, { tags: ['v1'] })
    await expect(archive.finish()).rejects.toMatchObject({ code: 'LAYOUT_INVALID' })
  })

  it('name the path that was asked for when it cannot be written', async () => {
    await using folder = await temporaryDirectory()
    const path = join(folder.path, 'absent', 'a.tar')
    await expect(ImageArchive.create(path, { format: 'oci' })).rejects.toMatchObject({
      code: 'ARCHIVE_FAILED',
      message: `failed to write ${path}: no such file or directory`,
    })
    const directory = join(folder.path, 'directory')
    await mkdir(directory)
    await using archive = await ImageArchive.create(directory, { format: 'oci' })
    await expect(archive.finish()).rejects.toMatchObject({
      code: 'ARCHIVE_FAILED',
      message: expect.stringContaining(`failed to write ${directory}: `),
    })
    expect(await readdir(folder.path)).toEqual(['directory'])
  })

  it('give a name with a digest to that content only', async () => {
    await using folder = await temporaryDirectory()
    const { images } = await image('v1')
    await using archive = await ImageArchive.create(join(folder.path, 'a.tar'), { format: 'docker' })
    await expect(copy(images, 'v1', archive, `app:v1@${digestOf('x')}`)).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
  })

  it('keep the digests of images when they are read again, of images with the same content, too', async () => {
    await using folder = await temporaryDirectory()
    const path = join(folder.path, 'a.tar')
    const { images, descriptor } = await image('one')
    const { bytes } = await images.fetchManifest('one')
    const noted = Buffer.from(JSON.stringify({ ...JSON.parse(bytes.toString()), annotations: { a: 'b' } }))
    const other = await images.pushManifest(noted, mediaTypes.ociManifest, { tags: ['two'] })
    {
      await using archive = await ImageArchive.create(path, { format: 'docker' })
      await copy(images, 'one', archive, 'app:one')
      await copy(images, 'two', archive, 'app:two')
      await archive.finish()
    }
    await using archive = await DockerArchive.open(path)
    expect((await archive.resolve('app:one')).digest).toBe(descriptor.digest)
    expect((await archive.resolve('app:two')).digest).toBe(other.digest)
    const again = new MemoryImages()
    expect((await copy(archive, 'app:two', again, 'x')).descriptor.digest).toBe(other.digest)
  })
})

describe('archives in a stream', () => {
  /** Blobs of which the first one comes last. */
  async function slowFirst(): Promise<Source> {
    const { images } = await image('v1', (manifest, all) => ({
      ...manifest,
      layers: [...manifest.layers, all.addBlob(randomBytes(3 << 20), mediaTypes.ociLayer)],
    }))
    return {
      resolve: (reference) => images.resolve(reference),
      fetchManifest: (reference) => images.fetchManifest(reference),
      async *openBlob(descriptor, options) {
        for (let turn = 0; turn < 100 && descriptor.mediaType === mediaTypes.ociConfig; turn++) await nextTurn()
        // One buffer for all chunks, as sources may have it.
        const shared = Buffer.alloc(64 << 10)
        for await (const chunk of images.openBlob(descriptor, options))
          for (let at = 0; at < chunk.length; at += shared.length)
            yield shared.subarray(0, chunk.copy(shared, 0, at, at + shared.length))
      },
    }
  }

  it('have the bytes of those in a file, and tar-stream reads them', async () => {
    await using folder = await temporaryDirectory()
    const path = join(folder.path, 'a.tar')
    const source = await slowFirst()
    const write = async (place: string | PassThrough) => {
      await using archive = await ImageArchive.create(place, { format: 'oci', names: 'image' })
      await copy(source, 'v1', archive, ['app:v1', 'app:v2'], { annotations: { note: 'x' } })
      await archive.finish()
    }
    await write(path)
    const stream = new PassThrough()
    const received = buffer(stream)
    await write(stream)
    stream.end()
    const bytes = await received
    expect(bytes.equals(await readFile(path))).toBe(true)
    const files = new Map<string, Buffer>()
    for await (const entry of Readable.from([bytes]).pipe(extract())) files.set(entry.header.name, await buffer(entry))
    for (const [name, content] of files)
      if (name.startsWith('blobs/')) expect(`blobs/${digestOf(content).replace(':', '/')}`).toBe(name)
    const { manifests } = JSON.parse(files.get('index.json')!.toString()) as Index
    expect(manifests.map(({ annotations }) => annotations)).toEqual(
      ['v1', 'v2'].map((tag) => ({
        note: 'x',
        'io.containerd.image.name': `docker.io/library/app:${tag}`,
        'org.opencontainers.image.ref.name': tag,
      })),
    )
  })

  it('wait for a reader, but not for one that is told to stop', async () => {
    const controller = new AbortController()
    const stream = new PassThrough()
    await using archive = await ImageArchive.create(stream, { format: 'oci' })
    const copying = copy(await slowFirst(), 'v1', archive, 'v1', { signal: controller.signal })
    const failed = expect(copying).rejects.toThrow('enough')
    await once(stream, 'readable')
    controller.abort(new Error('enough'))
    await failed
    expect(stream.readableLength).toBeLessThan(1 << 20)
  })

  it('fail as a whole when a blob does not arrive, and when nobody reads any more', async () => {
    const { images } = await image('v1')
    const broken = await slowFirst()
    const stream = new PassThrough().resume()
    await using archive = await ImageArchive.create(stream, { format: 'oci' })
    const source = {
      ...broken,
      openBlob: (descriptor: Descriptor) =>
        descriptor.mediaType === mediaTypes.ociConfig ? failing('no config') : broken.openBlob(descriptor),
    }
    await expect(copy(source, 'v1', archive, 'v1')).rejects.toThrow('no config')
    const gone = new PassThrough()
    await using second = await ImageArchive.create(gone, { format: 'oci' })
    gone.destroy(new Error('broken pipe'))
    await expect(copy(images, 'v1', second, 'v1')).rejects.toMatchObject({
      code: 'ARCHIVE_FAILED',
      message: 'failed to write the stream: broken pipe',
    })
  })
})

async function* failing(why: string): AsyncGenerator<Buffer> {
  yield Buffer.alloc(1)
  throw new Error(why)
}

describe('compressed archives', () => {
  async function plain(folder: string): Promise<{ path: string; descriptor: Descriptor }> {
    const { images, descriptor } = await image('v1')
    const path = join(folder, 'a.tar')
    await using archive = await ImageArchive.create(path, { format: 'docker' })
    await copy(images, 'v1', archive, 'app:v1')
    await archive.finish()
    return { path, descriptor }
  }

  async function readBoth(path: string, { digest }: Descriptor): Promise<void> {
    await using layout = await OciLayout.open(path)
    expect((await layout.resolve('v1')).digest).toBe(digest)
    await using archive = await DockerArchive.open(path)
    expect((await copy(archive, 'app:v1', new MemoryImages(), 'x')).descriptor.digest).toBe(digest)
  }

  it('are read: zstd', async () => {
    await using folder = await temporaryDirectory()
    const { path, descriptor } = await plain(folder.path)
    await writeFile(`${path}.zst`, zstdCompressSync(await readFile(path)))
    await readBoth(`${path}.zst`, descriptor)
  })

  it.skipIf(!hasProgram('xz'))('are read: xz (needs xz)', async () => {
    await using folder = await temporaryDirectory()
    const { path, descriptor } = await plain(folder.path)
    execFileSync('xz', ['-k', path])
    await readBoth(`${path}.xz`, descriptor)
  })

  it.for([
    ['gzip', Buffer.from('1f8b080000000000', 'hex')],
    ['zstd', Buffer.from('28b52ffd00000000ff', 'hex')],
    ['xz', Buffer.from('fd377a585a0000000000', 'hex')],
  ] as const)('that are broken are said to be: %s', async ([, bytes]) => {
    await using folder = await temporaryDirectory()
    const path = join(folder.path, 'a')
    await writeFile(path, bytes)
    await expect(OciLayout.open(path)).rejects.toMatchObject({ code: 'LAYOUT_INVALID' })
    await expect(DockerArchive.open(path)).rejects.toMatchObject({ code: 'LAYOUT_INVALID' })
  })
})

describe('limits of documents', () => {
  it('can be chosen', async () => {
    await using folder = await temporaryDirectory()
    const { images } = await image('v1')
    const layout = await OciLayout.create(join(folder.path, 'l'))
    await copy(images, 'v1', layout, 'v1')
    const small = await OciLayout.open(join(folder.path, 'l'), { manifestBytes: 100 })
    await expect(small.resolve('v1')).rejects.toMatchObject({ code: 'LAYOUT_INVALID' })
  })
})
