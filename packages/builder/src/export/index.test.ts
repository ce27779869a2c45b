import { describe, expect, it } from 'vitest'
import type { OutputSpec } from '../options.ts'
import type { ExportContext } from './exporter.ts'
import { prepareOutput } from './index.ts'

describe('outputs', () => {
  it.each<[message: string, type: string, attrs: Record<string, string>]>([
    ['unknown output type "ocy": expected one of oci, docker, tar, local, image, registry, cacheonly', 'ocy', {}],
    ['unknown attribute "dst" of output type oci', 'oci', { dst: 'x' }],
    ['dest is required for local exporter', 'local', {}],
    ['dest is required for oci exporter with tar=false', 'oci', { tar: 'false' }],
    ['non-bool value for push: "maybe"', 'image', { push: 'maybe' }],
    ['unsupported layer compression type: "lz4"', 'oci', { dest: 'x', compression: 'lz4' }],
    ['non-integer value for compression-level: "high"', 'oci', { dest: 'x', 'compression-level': 'high' }],
    ['compression-level 10 is out of range: gzip has 0 to 9', 'oci', { dest: 'x', 'compression-level': '10' }],
    ['could not fully parse annotation annotation-manifest', 'oci', { 'annotation-manifest': 'x' }],
    ["can't push tagged ref a:1 by digest", 'image', { 'push-by-digest': 'true', name: 'b,a:1' }],
    ['unknown attribute "annotation.a" of output type local', 'local', { dest: 'x', 'annotation.a': 'b' }],
    ['invalid SOURCE_DATE_EPOCH: soon', 'oci', { dest: 'x', 'source-date-epoch': 'soon' }],
  ])('refuses: %s', (message, type, attrs) => {
    expect(() => prepareOutput({ type, attrs } as unknown as OutputSpec)).toThrow(
      expect.objectContaining({ code: 'OUTPUT_INVALID', message }),
    )
  })

  it.each<OutputSpec>([
    { type: 'oci', attrs: { dest: 'x', 'rewrite-timestamp': 'true', 'annotation-index.a': 'b' } },
    { type: 'docker', attrs: { name: 'a,b:c' } },
    { type: 'tar', attrs: {} },
    { type: 'registry', attrs: { name: 'host:5000/x', 'oci-mediatypes': '0' } },
    { type: 'cacheonly', attrs: {} },
  ])('takes %j', (spec) => expect(prepareOutput(spec).type).toBe(spec.type))

  it('says that a directory cannot be made', async () => {
    const dest = '/proc/no-such-place/output'
    const context = { signal: new AbortController().signal, writeRootfs: async () => {} } as unknown as ExportContext
    await expect(prepareOutput({ type: 'local', attrs: { dest } }).export(context)).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
      message: `failed to write ${dest}: no such file or directory`,
      hint: expect.any(String),
    })
  })
})
