import { execFileSync } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { copy } from '../copy/copy.ts'
import { digestOf } from '../model/digest.ts'
import { mediaTypes } from '../model/media-types.ts'
import { temporaryDirectory } from '../testing/temporary.ts'
import { ImageArchive } from './archive-writer.ts'
import { DockerArchive } from './docker-archive.ts'
import { MemoryImages } from './memory.ts'
import { blobPath, isOciLayout, OciLayout } from './oci-layout.ts'

async function image(): Promise<MemoryImages> {
  const images = new MemoryImages()
  const layer = images.addBlob(Buffer.alloc(1000, 'l'), mediaTypes.ociLayer)
  const rootfs = { type: 'layers', diff_ids: [layer.digest] }
  const config = images.addBlob(
    Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs })),
    mediaTypes.ociConfig,
  )
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }
  await images.pushManifest(Buffer.from(JSON.stringify(manifest)), mediaTypes.ociManifest, { tags: ['v1'] })
  return images
}

describe('a layout that cannot be written', () => {
  it('says so, in words, by a typed error', async () => {
    await using folder = await temporaryDirectory()
    const file = join(folder.path, 'file')
    await writeFile(file, '')
    const failed = (path: string) => ({ code: 'ARCHIVE_FAILED', message: `failed to write ${path}: not a directory` })
    await expect(OciLayout.create(join(file, 'below'))).rejects.toMatchObject(failed(join(file, 'below')))
    const path = join(folder.path, 'layout')
    const layout = await OciLayout.create(path)
    await rm(join(path, 'blobs'), { recursive: true })
    await writeFile(join(path, 'blobs'), '')
    const images = new MemoryImages()
    const blob = images.addBlob(Buffer.from('x'))
    await expect(layout.pushBlob(blob, () => images.openBlob(blob))).rejects.toMatchObject({ code: 'ARCHIVE_FAILED' })
  })
})

describe('OCI layouts', () => {
  it.for([
    ['nothing at all', undefined, 'NOT_FOUND'],
    ['no marker', {}, 'LAYOUT_INVALID'],
    ['a marker of another version', { 'oci-layout': '{"imageLayoutVersion":"2.0.0"}' }, 'LAYOUT_INVALID'],
    ['a marker that is no JSON', { 'oci-layout': 'x' }, 'LAYOUT_INVALID'],
    ['no index', { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}' }, 'LAYOUT_INVALID'],
    [
      'an index that is no JSON',
      { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}', 'index.json': '{' },
      'MANIFEST_INVALID',
    ],
  ] as const)('with %s are refused', async ([, files, code]) => {
    await using folder = await temporaryDirectory({
      'x/keep': '',
      ...Object.fromEntries(Object.entries(files ?? {}).map(([name, text]) => [`x/${name}`, text])),
    })
    const path = join(folder.path, files === undefined ? 'missing' : 'x')
    const read = async () => (await OciLayout.open(path)).index()
    await expect(read()).rejects.toMatchObject({ code })
    expect(await isOciLayout(path)).toBe(false)
  })

  it('are made in new and empty directories only', async () => {
    await using folder = await temporaryDirectory({ 'full/file': 'x' })
    await expect(OciLayout.create(join(folder.path, 'full'))).rejects.toMatchObject({ code: 'LAYOUT_INVALID' })
    await OciLayout.create(join(folder.path, 'new/deep'))
    await OciLayout.create(join(folder.path, 'new/deep'))
    expect(await isOciLayout(join(folder.path, 'new/deep'))).toBe(true)
  })

  it('resolve names, digests, containerd names, and the only entry', async () => {
    await using folder = await temporaryDirectory()
    const layout = await OciLayout.create(folder.path)
    const { descriptor } = await copy(await image(), 'v1', layout, 'v1')
    for (const reference of ['v1', descriptor.digest, ''])
      expect((await layout.resolve(reference)).digest).toBe(descriptor.digest)
    const index = JSON.parse(await readFile(join(folder.path, 'index.json'), 'utf8'))
    index.manifests[0].annotations = { 'io.containerd.image.name': 'docker.io/library/x:v1' }
    await writeFile(join(folder.path, 'index.json'), JSON.stringify(index))
    expect((await layout.resolve('docker.io/library/x:v1')).digest).toBe(descriptor.digest)
    await expect(layout.resolve('v1')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(layout.resolve(digestOf('x'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('give nothing that was tampered with, and do not wait at a FIFO', async () => {
    await using folder = await temporaryDirectory()
    const layout = await OciLayout.create(folder.path)
    await copy(await image(), 'v1', layout, 'v1')
    const { bytes } = await layout.fetchManifest('v1')
    const { layers } = JSON.parse(bytes.toString())
    const path = join(folder.path, blobPath(layers[0].digest))
    await writeFile(path, Buffer.alloc(1000, 'x'))
    await expect(Array.fromAsync(layout.openBlob(layers[0]))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
    await writeFile(path, Buffer.alloc(2000, 'l'))
    await expect(Array.fromAsync(layout.openBlob(layers[0]))).rejects.toMatchObject({ code: 'SIZE_MISMATCH' })
    execFileSync('rm', [path])
    execFileSync('mkfifo', [path])
    await expect(Array.fromAsync(layout.openBlob(layers[0]))).rejects.toMatchObject({ code: 'LAYOUT_INVALID' })
  })

  it('keep their index whole when many write at once', async () => {
    await using folder = await temporaryDirectory()
    const layout = await OciLayout.create(folder.path)
    const images = await image()
    await Promise.all(Array.from({ length: 20 }, (_, n) => copy(images, 'v1', layout, `t${n}`)))
    expect(await Array.fromAsync(layout.tags())).toHaveLength(20)
  })
})

describe('archives', () => {
  it('are the same bytes for the same image', async () => {
    await using folder = await temporaryDirectory()
    const write = async (name: string) => {
      await using archive = await ImageArchive.create(join(folder.path, name), { format: 'docker' })
      await copy(await image(), 'v1', archive, 'app:v1')
      await archive.finish()
      return readFile(join(folder.path, name))
    }
    expect((await write('a.tar')).equals(await write('b.tar'))).toBe(true)
    expect(
      execFileSync('tar', ['-tf', join(folder.path, 'a.tar')])
        .toString()
        .trim()
        .split('\n')
        .slice(-3),
    ).toEqual(['oci-layout', 'index.json', 'manifest.json'])
  })

  it('leave an existing file alone until they are finished', async () => {
    await using folder = await temporaryDirectory({ 'a.tar': 'precious' })
    {
      await using archive = await ImageArchive.create(join(folder.path, 'a.tar'), { format: 'oci' })
      await copy(await image(), 'v1', archive, 'v1')
    }
    expect(await readFile(join(folder.path, 'a.tar'), 'utf8')).toBe('precious')
    expect(execFileSync('ls', [folder.path]).toString()).toBe('a.tar\n')
  })

  it('for docker hold no index, and tars are not written', async () => {
    await using folder = await temporaryDirectory()
    const path = join(folder.path, 'a.tar')
    await using archive = await ImageArchive.create(path, { format: 'docker' })
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }))
    await expect(archive.pushManifest(index, mediaTypes.ociIndex, { tags: ['a'] })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    })
    await copy(await image(), 'v1', archive, 'app')
    await archive.finish()
    await using layout = await OciLayout.open(path)
    await expect(copy(await image(), 'v1', layout, 'x')).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })

  it('of docker save with links and compressed layers are read', async () => {
    await using folder = await temporaryDirectory({ 'l/1/layer.tar': 'one', 'l/plain': 'three' })
    const dir = join(folder.path, 'l')
    execFileSync('sh', ['-ec', 'mkdir 2 && ln -s ../1/layer.tar 2/layer.tar && printf two | gzip -n > three.tar.gz'], {
      cwd: dir,
    })
    const ids = ['one', 'one', 'two'].map((text) => digestOf(text))
    await writeFile(
      join(dir, 'config.json'),
      JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: ids } }),
    )
    const entry = {
      Config: 'config.json',
      RepoTags: ['app:v1'],
      Layers: ['1/layer.tar', '2/layer.tar', 'three.tar.gz'],
    }
    await writeFile(join(dir, 'manifest.json'), JSON.stringify([entry]))
    const tar = (...args: string[]) => execFileSync('tar', ['-C', dir, ...args, '.'])
    tar('-cf', join(folder.path, 'a.tar'))
    tar('-czf', join(folder.path, 'a.tgz'))
    tar('--format=pax', '-cf', join(folder.path, 'pax.tar'))
    for (const name of ['a.tar', 'a.tgz', 'pax.tar']) {
      await using archive = await DockerArchive.open(join(folder.path, name))
      const images = new MemoryImages()
      await copy(archive, 'app:v1', images, 'v1')
      const { layers } = JSON.parse((await images.fetchManifest('v1')).bytes.toString())
      expect(layers.map((layer: { mediaType: string }) => layer.mediaType)).toEqual([
        mediaTypes.ociLayer,
        mediaTypes.ociLayer,
        mediaTypes.ociLayerGzip,
      ])
      expect(Buffer.concat(await Array.fromAsync(images.openBlob(layers[0]))).toString()).toBe('one')
    }
  })

  it.each([
    ['a short text', 'hello\n', /not a tar archive/],
    ['a long text', 'hello\n'.repeat(1000), /not a tar archive/],
    ['a directory', undefined, /it is a directory/],
  ])('%s is no archive', async (_what, text, message) => {
    await using folder = await temporaryDirectory()
    const path = text === undefined ? folder.path : join(folder.path, 'file')
    if (text !== undefined) await writeFile(path, text)
    await expect(DockerArchive.open(path)).rejects.toMatchObject({
      code: 'LAYOUT_INVALID',
      message: expect.stringMatching(message),
    })
  })

  it.for([
    ['no manifest.json', { x: '' }],
    ['a manifest.json that is no list', { 'manifest.json': '{}' }],
    ['a missing config', { 'manifest.json': '[{"Config":"c","Layers":[]}]' }],
    ['more layers than the config', { 'manifest.json': '[{"Config":"c","Layers":["c"]}]', c: '{}' }],
    [
      'a layer that is not there',
      {
        'manifest.json': '[{"Config":"c","Layers":["../../etc/passwd"]}]',
        c: `{"rootfs":{"diff_ids":["${digestOf('x')}"]}}`,
      },
    ],
  ] as const)('with %s are refused', async ([, files]) => {
    await using folder = await temporaryDirectory(
      Object.fromEntries(Object.entries(files).map(([name, text]) => [`l/${name}`, text])),
    )
    execFileSync('tar', ['-C', join(folder.path, 'l'), '-cf', join(folder.path, 'a.tar'), '.'])
    await expect(DockerArchive.open(join(folder.path, 'a.tar'))).rejects.toMatchObject({ code: 'LAYOUT_INVALID' })
  })
})
