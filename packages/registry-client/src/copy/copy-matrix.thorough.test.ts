import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ImageArchive } from '../layout/archive-writer.ts'
import { DockerArchive } from '../layout/docker-archive.ts'
import { MemoryImages } from '../layout/memory.ts'
import { OciLayout } from '../layout/oci-layout.ts'
import { companionTag } from '../model/companions.ts'
import type { Source, Target } from '../model/content.ts'
import type { Descriptor } from '../model/descriptor.ts'
import type { DigestAlgorithm } from '../model/digest.ts'
import { mediaTypes } from '../model/media-types.ts'
import { start } from '../testing/start.ts'
import { copy } from './copy.ts'

/** A place of one kind, written once and then read. */
interface Place extends AsyncDisposable {
  readonly target: Target
  readonly name: string
  read(): Promise<Source>
}

async function folder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'registry-client-test-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

async function archive(format: 'oci' | 'docker'): Promise<Place> {
  const place = await folder()
  const file = join(place.path, 'a.tar')
  const target = await ImageArchive.create(file, { format })
  const opened: AsyncDisposable[] = [place, target]
  return {
    target,
    name: format === 'oci' ? 'v1' : 'app:v1',
    async read() {
      await target.finish()
      const source = format === 'oci' ? await OciLayout.open(file) : await DockerArchive.open(file)
      opened.push(source)
      return source
    },
    async [Symbol.asyncDispose]() {
      for (const item of opened.reverse()) await item[Symbol.asyncDispose]()
    },
  }
}

async function registry(referrers: boolean): Promise<Place> {
  const it = await start({ features: { referrers } })
  const target = it.client.repository(`${it.registry.host}/app`)
  return { target, name: 'v1', read: async () => target, [Symbol.asyncDispose]: () => it[Symbol.asyncDispose]() }
}

const places: Readonly<Record<string, () => Promise<Place>>> = {
  registry: () => registry(true),
  'registry without referrers': () => registry(false),
  async memory() {
    const target = new MemoryImages()
    return { target, name: 'v1', read: async () => target, async [Symbol.asyncDispose]() {} }
  },
  async layout() {
    const { path, ...rest } = await folder()
    const target = await OciLayout.create(path)
    return { target, name: 'v1', read: () => OciLayout.open(path), ...rest }
  },
  'oci archive': () => archive('oci'),
  'docker archive': () => archive('docker'),
}

/** Something to copy: what is pushed, and what has to be found again. */
type Content = (images: MemoryImages) => Promise<Descriptor[]>

const push = (images: MemoryImages, document: object, options: Parameters<MemoryImages['pushManifest']>[2] = {}) => {
  const { mediaType = mediaTypes.ociManifest } = document as { mediaType?: string }
  return images.pushManifest(Buffer.from(JSON.stringify(document, null, 1)), mediaType, options)
}

function image(images: MemoryImages, layers = 2, docker = false): object {
  const type = docker ? mediaTypes.dockerLayer : mediaTypes.ociLayer
  const blobs = Array.from({ length: layers }, (_, n) => images.addBlob(randomBytes(n * 1000), type))
  const rootfs = { type: 'layers', diff_ids: blobs.map(({ digest }) => digest) }
  const text = JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs, id: randomBytes(4).toString('hex') })
  const config = images.addBlob(Buffer.from(text), docker ? mediaTypes.dockerConfig : mediaTypes.ociConfig)
  const mediaType = docker ? mediaTypes.dockerManifest : mediaTypes.ociManifest
  return { schemaVersion: 2, mediaType, config, layers: blobs }
}

const index = (manifests: readonly Descriptor[], mediaType: string = mediaTypes.ociIndex) => ({
  schemaVersion: 2,
  mediaType,
  manifests,
})
const v1 = { tags: ['v1'] }

async function platforms(images: MemoryImages, algorithm: DigestAlgorithm = 'sha256'): Promise<Descriptor[]> {
  const entries = []
  for (const architecture of ['amd64', 'arm64'])
    entries.push({ ...(await push(images, image(images), { algorithm })), platform: { os: 'linux', architecture } })
  return entries
}

const contents: Readonly<Record<string, Content>> = {
  'an image': async (images) => [await push(images, image(images), v1)],
  'an image of docker': async (images) => [await push(images, image(images, 3, true), v1)],
  'an image without layers': async (images) => [await push(images, image(images, 0), v1)],
  'an image with many layers': async (images) => [await push(images, image(images, 60), v1)],
  'an index': async (images) => {
    const entries = await platforms(images)
    return [await push(images, index(entries), v1), ...entries]
  },
  'an index of docker': async (images) => {
    const entries = [await push(images, image(images, 1, true))]
    return [await push(images, index(entries, mediaTypes.dockerIndex), v1), ...entries]
  },
  'an empty index': async (images) => [await push(images, index([]), v1)],
  'an index in an index': async (images) => {
    const inner = await push(images, index(await platforms(images)))
    return [await push(images, index([inner]), v1), inner]
  },
  'an index of sha512 digests': async (images) => {
    const entries = await platforms(images, 'sha512')
    return [await push(images, index(entries), v1), ...entries]
  },
  'an artifact': async (images) => {
    const config = images.addBlob(Buffer.from('{}'), mediaTypes.ociEmpty)
    const layers = [images.addBlob(randomBytes(50), 'text/plain')]
    const document = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: 'application/x',
      config,
      layers,
    }
    return [await push(images, document, v1)]
  },
  'an image with all that refers to it': async (images) => {
    const root = await push(images, image(images), v1)
    const config = images.addBlob(Buffer.from('{}'), mediaTypes.ociEmpty)
    const named = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [], subject: root }
    const companionOf = [{ subject: root.digest, kind: 'sig' as const }]
    const signature = await push(images, { ...named, subject: undefined, annotations: { s: '1' } }, { companionOf })
    const referrer = await push(images, { ...named, artifactType: 'application/sbom' })
    return [root, referrer, signature, await push(images, { ...named, subject: referrer })]
  },
}

/** A docker archive is for images of one platform; the rest it refuses. */
const forDocker = ['an image', 'an image of docker', 'an image without layers', 'an image with many layers']

describe.for(Object.keys(contents))('%s', { timeout: 900_000 }, (content) => {
  it.for(Object.keys(places).flatMap((from) => Object.keys(places).map((to) => [from, to] as const)))(
    'goes from %s to %s as it is, or is refused',
    async ([from, to]) => {
      const images = new MemoryImages()
      const expected = await contents[content]!(images)
      const options = { referrers: true }
      await using first = await places[from]!()
      await using second = await places[to]!()
      const through = async () => {
        await copy(images, 'v1', first.target, first.name, options)
        await copy(await first.read(), first.name, second.target, second.name, options)
        return second.read()
      }
      if ([from, to].includes('docker archive') && !forDocker.includes(content)) {
        await expect(through()).rejects.toMatchObject({ code: 'UNSUPPORTED' })
        return
      }
      const source = await through()
      expect((await source.resolve(second.name)).digest).toBe(expected[0]!.digest)
      for (const descriptor of expected) {
        const found = await source.fetchManifest(descriptor)
        expect(found.bytes).toEqual((await images.fetchManifest(descriptor)).bytes)
      }
      // Back in memory by what the last place tells of it alone.
      const back = new MemoryImages()
      await copy(source, second.name, back, 'v1', options)
      for (const descriptor of expected) await back.fetchManifest(descriptor)
      if (content.endsWith('refers to it')) {
        const tag = companionTag({ subject: expected[0]!.digest, kind: 'sig' })
        expect((await back.resolve(tag)).digest).toBe(expected[2]!.digest)
      }
    },
  )
})
