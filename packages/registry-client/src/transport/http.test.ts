import { startProxy } from '../testing/proxy.ts'
import { httpTransportContract } from './http.contract.ts'
import { ProxyTransport } from './proxy-transport.ts'
import { SocketTransport } from './socket-transport.ts'
import { TlsSecurity } from './tls-security.ts'
import { Trust } from './trust.ts'

httpTransportContract('connections of our own', async (port) => {
  const origin = new URL(`http://127.0.0.1:${port}`)
  const transport = new SocketTransport(origin, { connectMs: 60_000 })
  return { transport, origin, [Symbol.asyncDispose]: () => transport.close() }
})

httpTransportContract('undici, through a proxy', async (port) => {
  const proxy = await startProxy(port)
  const origin = new URL('http://server.example')
  const security = new TlsSecurity(undefined, new Trust({}))
  const transport = new ProxyTransport(origin, { connectMs: 60_000, security, proxy: new URL(proxy.url) })
  return {
    transport,
    origin,
    async [Symbol.asyncDispose]() {
      await transport.close()
      await proxy[Symbol.asyncDispose]()
    },
  }
})
