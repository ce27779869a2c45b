import type { BuildResult } from '@tsbuild/builder'
import { expect, it } from 'vitest'
import { renderSummary } from './render-summary.ts'

const blob = (size: number) => ({ mediaType: 'x', digest: 'sha256:00' as const, size })
const platform = { platform: { os: 'linux', architecture: 'amd64' }, manifest: blob(1), config: blob(2), diffIDs: [] }
const result: BuildResult = {
  descriptor: blob(1),
  digest: 'sha256:abc',
  platforms: [{ ...platform, layers: [blob(1_000_000), blob(500)] }],
  outputs: [{ type: 'image', names: ['docker.io/library/app:1@sha256:abc'] }],
  warnings: [],
  steps: { total: 5, cached: 2 },
  explanation: { started: 0, comparedWith: undefined, steps: [], cached: 2 },
  cache: { imported: [], exported: [] },
  metadata: {},
}

it.each<[Partial<BuildResult>, string]>([
  [{}, 'built 2 layers, 1.00MB; 5 steps, 2 cached; 1.5s\ndigest sha256:abc\nimage docker.io/library/app:1\n'],
  [
    { steps: { total: 1, cached: 1 }, outputs: [{ type: 'cacheonly' }] },
    'built 2 layers, 1.00MB; 1 step, all cached; 1.5s\ndigest sha256:abc\n',
  ],
  [
    {
      platforms: [
        { ...platform, layers: [blob(10)] },
        { ...platform, layers: [] },
      ],
      outputs: [
        { type: 'oci', dest: 'a.tar' },
        { type: 'tar', dest: '-' },
      ],
    },
    'built 2 platforms, 1 layer, 10B; 5 steps, 2 cached; 1.5s\ndigest sha256:abc\noci a.tar\ntar to stdout\n',
  ],
  [
    {
      outputs: [],
      cache: {
        imported: [
          {
            name: 'registry x/y:z',
            records: 9,
            hits: 5,
            fetched: { blobs: 1, size: 2000 },
            mounts: { ids: ['npm'], blobs: 2, size: 7000 },
            problem: undefined,
          },
          {
            name: 'local /a',
            records: 0,
            hits: 0,
            fetched: { blobs: 0, size: 0 },
            mounts: { ids: [], blobs: 0, size: 0 },
            problem: 'it is gone',
          },
        ],
        exported: [
          {
            name: 'local /b',
            records: 7,
            sent: { blobs: 2, size: 3000 },
            present: { blobs: 1, size: 10 },
            mounts: { ids: [], sent: { blobs: 0, size: 0 }, present: { blobs: 0, size: 0 } },
            problem: undefined,
          },
          {
            name: 'local /c',
            records: 7,
            sent: { blobs: 0, size: 0 },
            present: { blobs: 0, size: 0 },
            mounts: { ids: ['a', 'b'], sent: { blobs: 1, size: 5 }, present: { blobs: 1, size: 2000 } },
            problem: undefined,
          },
        ],
      },
    },
    'built 2 layers, 1.00MB; 5 steps, 2 cached; 1.5s\ndigest sha256:abc\n' +
      'cache from registry x/y:z: used 5 of 9 results, fetched 1 layer, 2.00kB; filled 1 cache mount, 7.00kB\n' +
      'cache from local /a: not used\n' +
      'cache to local /b: 7 results; sent 2 layers, 3.00kB; had 1 layer, 10B\n' +
      'cache to local /c: 7 results; sent 0 layers, 0B; had 0 layers, 0B; 2 cache mounts, sent 5B, had 2.00kB\n',
  ],
  [
    { outputs: [{ type: 'local', dest: 'out\x1b[2J' }] },
    'built 2 layers, 1.00MB; 5 steps, 2 cached; 1.5s\ndigest sha256:abc\nlocal out\\x1b[2J\n',
  ],
])('the summary of %j', (change, text) => {
  expect(renderSummary({ ...result, ...change }, 1500)).toBe(`\n${text}`)
})
