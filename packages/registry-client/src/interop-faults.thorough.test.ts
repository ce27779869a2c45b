import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copy } from './copy/copy.ts'
import { MemoryImages } from './layout/memory.ts'
import { RegistryClient } from './registry/client.ts'
import { DockerRegistry, hasProgram } from './testing/docker-registry.ts'
import { type ConnectionFault, type FaultProxy, startFaultProxy } from './testing/fault-proxy.ts'
import { RegistryStore } from './testing/index.ts'

const MiB = 1 << 20
const withRegistry = hasProgram('docker-registry')
let registry: DockerRegistry
let proxy: FaultProxy

beforeAll(async () => {
  if (!withRegistry) return
  registry = await DockerRegistry.start()
  proxy = await startFaultProxy(Number(registry.host.split(':')[1]))
})
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

async function image(): Promise<MemoryImages> {
  const store = new RegistryStore()
  const { manifest, descriptor } = store.addImage('x', 'v1', [randomBytes(8 * MiB)])
  const { blobs, manifests } = store.repository('x')
  const images = new MemoryImages()
  for (const { digest } of [manifest.config, ...manifest.layers]) images.addBlob(blobs.get(digest)!)
  await images.pushManifest(manifests.get(descriptor.digest)!.bytes, descriptor.mediaType, { tags: ['v1'] })
  return images
}

const faults: ConnectionFault[] = (['reset', 'close', 'stall', 'flip'] as const).flatMap((kind) => [
  { direction: 'up', afterBytes: 4 * MiB, kind },
  { direction: 'down', afterBytes: 4 * MiB, kind },
])

describe.skipIf(!withRegistry)(
  "broken connections to distribution's registry (needs docker-registry)",
  {
    timeout: 900_000,
  },
  () => {
    it.for(faults)('$kind $direction after 4 MiB', async (fault) => {
      const options = {
        env: {},
        certsDirs: [],
        registriesConf: [],
        retry: { baseMs: 5 },
        // What a registry that is healthy, on a machine that is busy, never needs.
        timeouts: { idleMs: 6000, commitMs: 20_000 },
      }
      await using client = new RegistryClient(options)
      const images = await image()
      const repository = client.repository(`${proxy.host}/${fault.kind}-${fault.direction}`)
      if (fault.direction === 'up') proxy.inject(fault)
      const { descriptor } = await copy(images, 'v1', repository, 'v1')
      const back = new MemoryImages()
      if (fault.direction === 'down') proxy.inject(fault)
      expect((await copy(repository, 'v1', back, 'v1')).descriptor).toEqual(descriptor)
      expect(proxy.shown).toBe(true)
    })
  },
)
