/** The contract of shared caches in Distribution's own registry, behind connections that break. */
import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { type Descriptor, mediaTypes, parseManifest, parseReference, RegistryClient } from '@tsbuild/registry-client'
import { describe } from 'vitest'
import { type BackendSubject, backendContract, type Damage } from '../../packages/builder/src/cache/backend.contract.ts'
import type { CacheServices } from '../../packages/builder/src/cache/backend.ts'
import type { ImageForm } from '../../packages/builder/src/cache/backends/image-form.ts'
import { openRegistryExporter } from '../../packages/builder/src/cache/backends/registry.ts'
import { prepareCacheFrom } from '../../packages/builder/src/cache/spec.ts'
import { type ConnectionFault, startFaultProxy } from '../../packages/registry-client/src/testing/fault-proxy.ts'
import { startRegistry } from '../support/registry.ts'
import { gate } from '../support/tools.ts'

const needs = gate('docker-registry')

describe.skipIf(needs.skip)(`docker-registry${needs.note}`, () => {
  const manifest = { type: 'manifest', mediaType: mediaTypes.ociManifest } as const
  const index = { type: 'index', mediaType: mediaTypes.ociIndex } as const
  backendContract('docker-registry', (writers) => subject(manifest, writers))
  backendContract('docker-registry, as an index', (writers) => subject(index, writers), 2)
})

async function subject(form: ImageForm, writers: number): Promise<BackendSubject> {
  const resources = new AsyncDisposableStack()
  const registry = resources.use(await startRegistry())
  const proxy = resources.use(await startFaultProxy(Number(registry.host.split(':')[1])))
  const services = (): CacheServices => {
    // This registry answers 500 to who reads a tag just while it is written.
    const retry = { attempts: 6, baseMs: 50, capMs: 500 }
    const client = new RegistryClient({
      credentials: false,
      env: {},
      retry,
      timeouts: { idleMs: 1000, commitMs: 1000 },
    })
    resources.use(client)
    return { client, repository: (reference) => client.repository(reference) }
  }
  const ref = `${proxy.host}/app:cache`
  const [from] = prepareCacheFrom([{ type: 'registry', attrs: { ref } }], {})
  const place = { name: ref, reference: parseReference(ref), insecure: false, form }
  const spoil = async ({ digest }: Pick<Descriptor, 'digest'>, how: Damage) => {
    const file = registry.blobPath(digest)
    if (how === 'missing') await rm(file)
    else if (how === 'truncated') await truncate(file, 10)
    else {
      const bytes = await readFile(file)
      bytes[bytes.length >> 1]! ^= 0xff
      await writeFile(file, bytes)
    }
  }
  const fault = (next: ConnectionFault) => ({
    total: false,
    begin: async () => proxy.inject(next),
    // What has not shown shows nowhere.
    heal: async () => proxy.inject({ ...next, afterBytes: Number.POSITIVE_INFINITY }),
  })
  return {
    importer: () => from!.open(services()),
    exporter: async () => openRegistryExporter(place, services(), writers === 1 ? 1 : undefined),
    spoil,
    async spoilDocument(how) {
      const { bytes, descriptor } = await services().repository(ref, { insecure: false }).fetchManifest()
      const document = parseManifest(bytes, descriptor.mediaType)
      await spoil(document.kind === 'manifest' ? document.manifest.config : document.index.manifests.at(-1)!, how)
    },
    faults: {
      'reset while sending': fault({ direction: 'up', afterBytes: 100_000, kind: 'reset' }),
      'closed while sending': fault({ direction: 'up', afterBytes: 100_000, kind: 'close' }),
      'silent while sending': fault({ direction: 'up', afterBytes: 100_000, kind: 'stall' }),
      'another byte sent': fault({ direction: 'up', afterBytes: 100_000, kind: 'flip' }),
      'reset while reading': fault({ direction: 'down', afterBytes: 500, kind: 'reset' }),
      'another byte read': fault({ direction: 'down', afterBytes: 800, kind: 'flip' }),
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}
