import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ImageArchive } from '../layout/archive-writer.ts'
import { DockerArchive } from '../layout/docker-archive.ts'
import { MemoryImages } from '../layout/memory.ts'
import { OciLayout } from '../layout/oci-layout.ts'
import { contentContract } from '../model/content.contract.ts'
import { RegistryClient } from '../registry/client.ts'
import { TestRegistry } from '../testing/index.ts'

const same = (tag: string) => tag

contentContract('memory', async () => {
  const images = new MemoryImages()
  return { target: images, source: async () => images, name: same, close: async () => {} }
})

contentContract('registry', async () => {
  const registry = await TestRegistry.start()
  const client = new RegistryClient({ env: {}, certsDirs: [], registriesConf: [], retry: { baseMs: 1 } })
  const repository = client.repository(`${registry.host}/repo`)
  const close = async () => {
    await client.close()
    await registry[Symbol.asyncDispose]()
  }
  return { target: repository, source: async () => repository, name: same, close }
})

async function temporary(): Promise<{ path: string; close: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'registry-client-test-'))
  return { path, close: () => rm(path, { recursive: true, force: true }) }
}

contentContract('layout directory', async () => {
  const { path, close } = await temporary()
  const layout = await OciLayout.create(join(path, 'layout'))
  return { target: layout, source: () => OciLayout.open(join(path, 'layout')), name: same, close }
})

for (const format of ['oci', 'docker'] as const) {
  contentContract(`${format} archive`, async () => {
    const { path, close } = await temporary()
    const file = join(path, 'archive.tar')
    const archive = await ImageArchive.create(file, { format })
    const opened: AsyncDisposable[] = [archive]
    const source = async () => {
      await archive.finish()
      const found = format === 'oci' ? await OciLayout.open(file) : await DockerArchive.open(file)
      opened.push(found)
      return found
    }
    const closeAll = async () => {
      for (const item of opened) await item[Symbol.asyncDispose]()
      await close()
    }
    return { target: archive, source, name: format === 'oci' ? same : (tag) => `app:${tag}`, close: closeAll }
  })
}
