import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { copy } from '../copy.ts'
import { MemoryImages } from '../memory.ts'
import { TestRegistry } from '../testing/index.ts'
import { start } from '../testing/start.ts'

/** A forward proxy that finds every host at one address. */
async function startProxy(registry: TestRegistry) {
  const seen: string[] = []
  const port = Number(new URL(registry.url).port)
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`)
    const { pathname, search } = new URL(request.url!)
    const { 'proxy-authorization': _own, ...headers } = request.headers
    const onward = httpRequest(
      { host: '127.0.0.1', port, path: pathname + search, method: request.method, headers },
      (answer) => {
        response.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(response)
      },
    )
    request.pipe(onward)
  })
  server.on('connect', (request, socket) => {
    seen.push(`CONNECT ${request.url}`)
    const onward = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      onward.pipe(socket).pipe(onward)
    })
    onward.on('error', () => socket.destroy())
    socket.on('error', () => onward.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return {
    url: `http://user:secret@127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    [Symbol.asyncDispose]: close,
  }
}

describe('a proxy', () => {
  it('is used for everything but what is to be reached directly', async () => {
    await using registry = await TestRegistry.start()
    await using proxy = await startProxy(registry)
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
    const before = proxy.seen.length
    it.registry.store.addImage('app', 'v1', [randomBytes(10)])
    await it.client.repository(`${it.registry.host}/app`).resolve('v1')
    expect(proxy.seen.length).toBe(before)
  })
})
