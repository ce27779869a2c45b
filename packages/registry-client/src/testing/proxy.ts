/**
 * A forward proxy for tests.
 */
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { pipeline } from 'node:stream'

export interface TestProxy extends AsyncDisposable {
  /** With credentials in it. */
  readonly url: string
  /** What it was asked for: method and target, and the proxy credentials of forwarded requests. */
  readonly seen: readonly string[]
}

/** Starts a proxy that finds every host at one port of loopback. */
export async function startProxy(port: number): Promise<TestProxy> {
  const seen: string[] = []
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`)
    const { pathname, search } = new URL(request.url!)
    const { 'proxy-authorization': _own, ...headers } = request.headers
    const onward = httpRequest(
      { host: '127.0.0.1', port, path: pathname + search, method: request.method, headers },
      (answer) => {
        response.writeHead(answer.statusCode!, answer.rawHeaders)
        // What breaks off breaks off on both sides.
        pipeline(answer, response, () => {})
      },
    )
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
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
