import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { copy } from '../copy/copy.ts'
import { MemoryImages } from '../layout/memory.ts'
import { TestRegistry } from '../testing/index.ts'
import { startProxy } from '../testing/proxy.ts'
import { start } from '../testing/start.ts'

describe('a proxy', () => {
  it('is used for everything but what is to be reached directly', async () => {
    await using registry = await TestRegistry.start()
    await using proxy = await startProxy(Number(new URL(registry.url).port))
    const { descriptor } = registry.store.addImage('app', 'v1', [randomBytes(300_000)])
    const options = { plainHttp: true, env: { http_proxy: proxy.url, NO_PROXY: 'direct.example' } }
    await using it = await start({}, options)
    const images = new MemoryImages()
    expect((await copy(it.client.repository('registry.example/app'), 'v1', images, 'v1')).descriptor).toEqual(
      descriptor,
    )
    await copy(images, 'v1', it.client.repository('registry.example/other'), 'v1')
    expect(registry.store.repository('other').tags.get('v1')).toBe(descriptor.digest)
    expect(proxy.seen.length).toBe(registry.requests.length)
    expect(proxy.seen.every((line) => line.includes('registry.example'))).toBe(true)
    expect(JSON.stringify(it.events)).not.toContain('secret')
    expect(registry.requests.some(({ headers }) => headers['proxy-authorization'] !== undefined)).toBe(false)
    await using answer = await it.client.get('http://files.example/v2/')
    expect([answer.status, proxy.seen.at(-1)]).toEqual([200, expect.stringContaining('GET http://files.example/v2/')])
    const before = proxy.seen.length
    it.registry.store.addImage('app', 'v1', [randomBytes(10)])
    await it.client.repository(`${it.registry.host}/app`).resolve('v1')
    expect(proxy.seen.length).toBe(before)
  })
})
