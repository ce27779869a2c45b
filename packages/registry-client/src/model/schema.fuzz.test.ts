import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseImageConfig, parseManifest } from './descriptor.ts'
import { isRegistryError, type RegistryError } from './errors.ts'
import { mediaTypes } from './media-types.ts'
import { mutations } from './schema.test-support.ts'

const digest = `sha256:${'a'.repeat(64)}`
const descriptor = {
  mediaType: mediaTypes.ociLayerGzip,
  digest,
  size: 3,
  platform: { os: 'linux', architecture: 'arm', variant: 'v7', 'os.version': '1', 'os.features': ['x'] },
  annotations: { a: 'b' },
  urls: ['https://x/'],
  artifactType: 'a/b',
  data: 'YQ==',
}
const shared = { schemaVersion: 2, annotations: { k: 'v' }, subject: descriptor, artifactType: 'a/b' }
const manifest = { ...shared, mediaType: mediaTypes.ociManifest, config: descriptor, layers: [descriptor] }
const index = { ...shared, mediaType: mediaTypes.ociIndex, manifests: [descriptor, descriptor] }
const config = {
  created: '2024-01-01T00:00:00Z',
  author: 'a',
  os: 'linux',
  architecture: 'amd64',
  variant: 'v1',
  'os.version': '1',
  'os.features': ['f'],
  config: {
    User: 'u',
    ExposedPorts: { '80/tcp': {} },
    Env: ['A=b'],
    Entrypoint: ['e'],
    Cmd: ['c'],
    Volumes: { '/v': {} },
    WorkingDir: '/w',
    Labels: { l: 'v' },
    StopSignal: 'SIGTERM',
    ArgsEscaped: true,
    Healthcheck: { Test: ['CMD', 'x'], Interval: 1, Timeout: 2, StartPeriod: 3, StartInterval: 4, Retries: 5 },
    OnBuild: ['RUN x'],
    Shell: ['/bin/sh', '-c'],
  },
  rootfs: { type: 'layers', diff_ids: [digest] },
  history: [{ created: '2024-01-01T00:00:00Z', created_by: 'x', author: 'a', comment: 'c', empty_layer: true }],
}

describe('documents of any form', () => {
  it.each([
    ['manifest', manifest, (bytes: Buffer) => parseManifest(bytes, undefined, 'name@digest')],
    ['index', index, (bytes: Buffer) => parseManifest(bytes, undefined, 'name@digest')],
    ['image config', config, (bytes: Buffer) => parseImageConfig(bytes, 'name@digest')],
  ] as const)('a changed %s is read or refused with its field', (_, document, parse) => {
    expect(() => parse(Buffer.from(JSON.stringify(document)))).not.toThrow()
    fc.assert(
      fc.property(mutations(document), (text) => {
        try {
          parse(Buffer.from(text))
        } catch (error) {
          expect(isRegistryError(error), String(error)).toBe(true)
          const { code, message } = error as RegistryError
          if (code !== 'MEDIA_TYPE_UNSUPPORTED') expect(message).toContain('name@digest')
        }
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    ['{"config":{"Env":{"A":"b"}}}', 'config.Env is not a list of texts'],
    ['{"config":{"OnBuild":"RUN x"}}', 'config.OnBuild is not a list of texts'],
    ['{"history":[null]}', 'history[0] is not an object'],
    ['{"history":[{"created":"soon"}]}', 'history[0].created is not a time'],
    ['{"config":{"WorkingDir":5}}', 'config.WorkingDir is not a text'],
    ['{"config":1e999}', 'config is not an object'],
    ['{"config":{"Cmd":"x"}}', 'config.Cmd is not a list of texts'],
    ['{"config":{"Labels":[1]}}', 'config.Labels is not an object of texts'],
    ['{"config":{"Labels":{"a":1}}}', 'config.Labels["a"] is not a text'],
    ['{"config":{"Volumes":[]}}', 'config.Volumes is not an object of names'],
    ['{"config":{"Healthcheck":{"Retries":1e999}}}', 'config.Healthcheck.Retries is not a whole number'],
    ['{"os":5}', 'os is not a text'],
    ['[]', 'the document is not an object'],
    [`{"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'the document is nested more than 64 deep'],
  ])('%.60s', (text, message) => {
    expect(() => parseImageConfig(Buffer.from(text))).toThrow(message)
  })

  it('takes null for what is absent, as programs in Go write it', () => {
    const text = '{"config":{"Env":null,"Cmd":null,"Labels":null},"history":null,"rootfs":null,"author":null}'
    expect(parseImageConfig(Buffer.from(text))).toEqual({
      os: 'linux',
      architecture: 'amd64',
      config: {},
      rootfs: { type: 'layers', diff_ids: [] },
    })
  })
})
