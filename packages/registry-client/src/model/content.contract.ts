/**
 * What every Source and Target has to do, as tests to be run for each implementation.
 */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { RegistryStore } from '../testing/index.ts'
import type { Source, Target } from './content.ts'
import type { Descriptor, Manifest } from './descriptor.ts'
import { digestOf } from './digest.ts'
import { mediaTypes } from './media-types.ts'

/** One implementation under test. */
export interface ContractSubject {
  readonly target: Target
  /** What has been pushed, readable; called after the pushes. */
  readonly source: () => Promise<Source>
  /** Turns a short name into one that the implementation takes. */
  readonly name: (tag: string) => string
  readonly close: () => Promise<void>
}

/** Describes the contract for one kind. */
export function contentContract(kind: string, create: () => Promise<ContractSubject>): void {
  describe(`${kind} as source and target`, () => {
    it('gives back what was pushed, by name, digest and descriptor', async () => {
      await using subject = await open(create)
      const { image, layer } = example()
      const root = await push(subject, image, ['v1', 'v2'])
      const source = await subject.source()
      expect((await source.resolve(subject.name('v1'))).digest).toBe(root.digest)
      expect((await source.resolve(subject.name('v2'))).digest).toBe(root.digest)
      expect((await source.fetchManifest(root.digest)).bytes.equals(image.bytes)).toBe(true)
      const fetched = await source.fetchManifest(await source.resolve(subject.name('v1')))
      expect(fetched.bytes.equals(image.bytes)).toBe(true)
      expect(fetched.descriptor).toMatchObject({
        mediaType: mediaTypes.ociManifest,
        digest: root.digest,
        size: image.bytes.length,
      })
      expect((await collect(source.openBlob(image.layer))).equals(layer)).toBe(true)
      expect((await collect(source.openBlob(image.layer, { offset: 70_000 }))).equals(layer.subarray(70_000))).toBe(
        true,
      )
      let transient = 0
      for await (const chunk of source.openBlob(image.layer, { transient: true })) transient += chunk.length
      expect(transient).toBe(layer.length)
    })

    it('knows which blobs it has, and takes each only once', async () => {
      await using subject = await open(create)
      const { image, layer } = example()
      const { target } = subject
      let opened = 0
      const content = (offset: number) => {
        opened++
        return pieces(layer.subarray(offset))
      }
      expect(await target.hasBlob(image.layer)).toBe(false)
      expect(await target.pushBlob(image.layer, content)).toBe('uploaded')
      expect(await target.hasBlob(image.layer)).toBe(true)
      expect(await target.pushBlob(image.layer, content)).toBe('exists')
      expect(opened).toBe(1)
    })

    it('does not take content that is not the blob', async () => {
      await using subject = await open(create)
      const { image, layer } = example()
      const { target } = subject
      const wrong = Buffer.from(layer)
      wrong[5]! ^= 1
      await expect(target.pushBlob(image.layer, () => pieces(wrong))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
      await expect(target.pushBlob(image.layer, () => pieces(layer.subarray(1)))).rejects.toMatchObject({
        code: 'SIZE_MISMATCH',
      })
      await expect(target.pushBlob(image.layer, () => pieces(Buffer.concat([layer, layer])))).rejects.toMatchObject({
        code: 'SIZE_MISMATCH',
      })
      expect(await target.hasBlob(image.layer)).toBe(false)
      expect(await target.pushBlob(image.layer, (offset) => pieces(layer.subarray(offset)))).toBe('uploaded')
    })

    it('passes on what its input throws, and the reason of an abort', async () => {
      await using subject = await open(create)
      const { image, layer } = example()
      const broken = async function* () {
        yield layer.subarray(0, 10)
        throw new Error('out of paper')
      }
      await expect(subject.target.pushBlob(image.layer, broken)).rejects.toThrow('out of paper')
      const controller = new AbortController()
      const aborting = async function* () {
        yield layer.subarray(0, 10)
        controller.abort(new Error('enough'))
        yield layer.subarray(10)
      }
      await expect(subject.target.pushBlob(image.layer, aborting, { signal: controller.signal })).rejects.toThrow(
        'enough',
      )
      expect(await subject.target.hasBlob(image.layer)).toBe(false)
    })

    it('reports progress up to the size', async () => {
      await using subject = await open(create)
      const { image, layer } = example()
      const seen: number[] = []
      await subject.target.pushBlob(image.layer, (offset) => pieces(layer.subarray(offset)), {
        onProgress: ({ transferred }) => seen.push(transferred),
      })
      expect(seen.at(-1)).toBe(layer.length)
      expect(seen.every((bytes, n) => n === 0 || bytes >= seen[n - 1]!)).toBe(true)
    })

    it('moves a name to what was pushed last', async () => {
      await using subject = await open(create)
      const first = example()
      const second = example()
      await push(subject, first.image, ['v1', 'old'])
      const root = await push(subject, second.image, ['v1'])
      const source = await subject.source()
      expect((await source.resolve(subject.name('v1'))).digest).toBe(root.digest)
      expect((await source.resolve(subject.name('old'))).digest).toBe(digestOf(first.image.bytes))
    })

    it('says NOT_FOUND for what it does not have', async () => {
      await using subject = await open(create)
      const { image } = example()
      await push(subject, image, ['v1'])
      const source = await subject.source()
      const missing: Descriptor = { ...image.layer, digest: digestOf('nothing') }
      await expect(source.resolve(subject.name('nothing'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
      await expect(source.fetchManifest(missing)).rejects.toMatchObject({ code: 'NOT_FOUND' })
      await expect((async () => collect(source.openBlob(missing)))()).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })
  })
}

interface ExampleImage {
  readonly bytes: Buffer
  readonly manifest: Manifest
  readonly config: Buffer
  readonly layer: Descriptor
  readonly content: Buffer
}

function example(): { image: ExampleImage; layer: Buffer } {
  const store = new RegistryStore()
  const layer = randomBytes(200_000)
  const { manifest, descriptor } = store.addImage('x', 'v1', [layer])
  const { blobs, manifests } = store.repository('x')
  const config = blobs.get(manifest.config.digest)!
  return {
    image: {
      bytes: manifests.get(descriptor.digest)!.bytes,
      manifest,
      config,
      layer: manifest.layers[0]!,
      content: layer,
    },
    layer,
  }
}

async function push({ target, name }: ContractSubject, image: ExampleImage, tags: string[]): Promise<Descriptor> {
  const { manifest, config } = image
  await target.pushBlob(manifest.config, () => pieces(config))
  await target.pushBlob(image.layer, () => pieces(image.content))
  return target.pushManifest(image.bytes, mediaTypes.ociManifest, { tags: tags.map(name) })
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}

async function open(create: () => Promise<ContractSubject>): Promise<ContractSubject & AsyncDisposable> {
  const subject = await create()
  return { ...subject, [Symbol.asyncDispose]: subject.close }
}
