import { describe, expect, it } from 'vitest'
import { blobsOf, parseImageConfig, parseManifest } from './descriptor.ts'
import { mediaTypes } from './media-types.ts'

const digest = `sha256:${'1'.repeat(64)}`
const descriptor = { mediaType: mediaTypes.ociLayer, digest, size: 3 }
const image = { schemaVersion: 2, config: { ...descriptor, mediaType: mediaTypes.ociConfig }, layers: [descriptor] }
const json = (value: unknown) => Buffer.from(JSON.stringify(value))

describe('parseManifest', () => {
  it('tells images and indexes by what they are served as, by their own word, and by their shape', () => {
    expect(parseManifest(json(image)).kind).toBe('manifest')
    expect(parseManifest(json(image), `${mediaTypes.dockerManifest}; charset=utf-8`).mediaType).toBe(
      mediaTypes.dockerManifest,
    )
    expect(parseManifest(json({ schemaVersion: 2, manifests: [descriptor] }), 'application/json').kind).toBe('index')
    expect(parseManifest(json({ schemaVersion: 2, mediaType: mediaTypes.dockerIndex, manifests: [] })).mediaType).toBe(
      mediaTypes.dockerIndex,
    )
  })

  it('drops null fields of descriptors, as Go writes them', () => {
    const parsed = parseManifest(json({ ...image, layers: [{ ...descriptor, annotations: null, urls: null }] }))
    expect(parsed.kind === 'manifest' && parsed.manifest.layers[0]).toEqual(descriptor)
  })

  it.for([
    [
      'Docker schema 1',
      { schemaVersion: 1, name: 'x', fsLayers: [] },
      undefined,
      'application/vnd.docker.distribution.manifest.v1+json',
    ],
    ['schema 1 by its type', image, mediaTypes.dockerSchema1Signed, 'unsupported media type'],
    [
      'another media type inside than outside',
      { ...image, mediaType: mediaTypes.ociIndex },
      mediaTypes.ociManifest,
      'differs from its Content-Type',
    ],
    ['image and index in one', { ...image, manifests: [] }, undefined, 'both an image manifest and an index'],
    ['a list', [], undefined, 'the document is not an object'],
    ['no version', { layers: [] }, undefined, 'schemaVersion is not 2'],
    [
      'a negative size',
      { ...image, layers: [{ ...descriptor, size: -1 }] },
      undefined,
      'layers[0].size is not a size: -1',
    ],
    [
      'a fractional size',
      { ...image, layers: [{ ...descriptor, size: 1.5 }] },
      undefined,
      'layers[0].size is not a size: 1.5',
    ],
    [
      'a size beyond what numbers hold',
      { ...image, layers: [{ ...descriptor, size: 2 ** 60 }] },
      undefined,
      'layers[0].size is not a size',
    ],
    [
      'a digest that is a path',
      { ...image, config: { ...descriptor, digest: 'sha256:../../etc/passwd' } },
      undefined,
      'config.digest is not a digest: "sha256:../../etc/passwd"',
    ],
    ['no config', { schemaVersion: 2, layers: [] }, undefined, 'config is not a descriptor'],
    [
      'a platform that is none',
      { schemaVersion: 2, manifests: [{ ...descriptor, platform: { os: 1 } }] },
      undefined,
      'manifests[0].platform.os is not a text',
    ],
    [
      'an artifact manifest',
      { schemaVersion: 2, mediaType: 'application/vnd.oci.artifact.manifest.v1+json' },
      undefined,
      'unsupported media type',
    ],
  ] as const)('refuses %s', ([, document, mediaType, why]) => {
    expect(() => parseManifest(json(document), mediaType)).toThrow(why)
  })

  it('refuses what is not JSON or not UTF-8', () => {
    expect(() => parseManifest(Buffer.from('{'))).toThrow('not valid JSON')
    expect(() => parseManifest(Buffer.from([0x22, 0xff, 0x22]))).toThrow('not valid JSON')
  })

  it('lists each blob of an image once', () => {
    const parsed = parseManifest(json({ ...image, layers: [descriptor, descriptor] }))
    expect(parsed.kind === 'manifest' && blobsOf(parsed.manifest)).toHaveLength(1)
  })
})

describe('parseImageConfig', () => {
  it('keeps hostile keys as data', () => {
    const config = parseImageConfig(
      Buffer.from(
        '{"os":"linux","architecture":"amd64","config":{"__proto__":{"User":"x"}},"rootfs":{"type":"layers","diff_ids":[]}}',
      ),
    )
    expect(config.config?.User).toBeUndefined()
    expect(({} as { User?: string }).User).toBeUndefined()
  })

  it('refuses layers that are no digests', () => {
    expect(() => parseImageConfig(json({ rootfs: { diff_ids: ['x'] } }))).toThrow(
      'rootfs.diff_ids[0] is not a digest: "x"',
    )
  })
})
