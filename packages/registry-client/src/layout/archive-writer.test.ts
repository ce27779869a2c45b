import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { copy } from '../copy/copy.ts'
import type { Descriptor, Manifest } from '../model/descriptor.ts'
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
