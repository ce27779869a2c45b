import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { parseWarnings, redactUrl } from './events.ts'
import { header, readBody } from './http.ts'
import { formatRequestHead, parseResponseHead } from './http-head.ts'
import { proxiesFromEnv, proxySelector } from './proxy.ts'
import { resolveLocation } from './redirect.ts'
import { HostGate, retryAfter } from './retry.ts'
import { SocketTransport } from './socket-transport.ts'

describe('response heads', () => {
  const framing = (head: string, method = 'GET') => parseResponseHead(`HTTP/1.1 200 OK\r\n${head}`, method).framing

  it('frame bodies', () => {
    expect(framing('Content-Length: 5')).toEqual({ kind: 'length', length: 5 })
    expect(framing('Content-Length: 5, 5')).toEqual({ kind: 'length', length: 5 })
    expect(framing('Transfer-Encoding: chunked')).toEqual({ kind: 'chunked' })
    expect(framing('X: y')).toEqual({ kind: 'close' })
    expect(framing('Content-Length: 5', 'HEAD')).toEqual({ kind: 'none' })
  })

  it.for([
    'Content-Length: 5\r\nContent-Length: 6',
    'Content-Length: -1',
    'Content-Length: 0x5',
    'Content-Length: 5\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: gzip',
    ' folded',
    'no colon',
  ])('refuse %j', (head) => {
    expect(() => framing(head)).toThrow(expect.objectContaining({ code: 'EPROTO' }))
  })

  it('are not taken from what is no HTTP', () => {
    expect(() => parseResponseHead('SSH-2.0', 'GET')).toThrow('did not answer in HTTP/1.1')
  })

  it('never write a line break into a request', () => {
    expect(() => formatRequestHead('GET', '/', { a: 'b\r\nc: d' })).toThrow('header a')
    expect(() => formatRequestHead('GET', '/ HTTP/1.1\r\n', {})).toThrow('request line')
  })
})

const servers: { close(): void }[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function serve(onConnection: (socket: Socket) => void): Promise<URL> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    onConnection(socket)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
}

const times = { headersMs: 300_000, idleMs: 300_000 }

describe('SocketTransport', () => {
  it('reads chunked bodies in any pieces and uses the connection again', async () => {
    let connections = 0
    const answer =
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n7\r\n, world\r\n0\r\nTrailer: x\r\n\r\n'
    const url = await serve((socket) => {
      connections++
      socket.on('data', () => {
        let at = 0
        const next = () => {
          if (at >= answer.length) return
          socket.write(answer.slice(at, at + 7))
          at += 7
          setImmediate(next)
        }
        next()
      })
    })
    const transport = new SocketTransport(url, { connectMs: 300_000 })
    for (let n = 0; n < 3; n++) {
      const response = await transport.send({ method: 'GET', url, headers: {}, ...times })
      expect((await readBody(response.body, 100, 60_000))?.toString()).toBe('hello, world')
    }
    expect(connections).toBe(1)
    await transport.close()
  })

  it('skips 1xx answers and takes a body up to the close', async () => {
    const url = await serve((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nX: 1\r\n\r\nall')),
    )
    const transport = new SocketTransport(url, { connectMs: 300_000 })
    const response = await transport.send({ method: 'GET', url, headers: {}, ...times })
    expect(header(response.headers, 'x')).toBe('1')
    expect((await readBody(response.body, 100, 60_000))?.toString()).toBe('all')
    await transport.close()
  })

  it('takes an early refusal of an upload', async () => {
    const url = await serve((socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n')),
    )
    const transport = new SocketTransport(url, { connectMs: 300_000 })
    let sent = 0
    const body = async function* () {
      for (let n = 0; n < 1000; n++) {
        sent += 1 << 20
        yield Buffer.alloc(1 << 20)
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }
    const response = await transport.send({
      method: 'PUT',
      url,
      headers: { 'content-length': String(1000 << 20) },
      body: body(),
      ...times,
    })
    expect(response.status).toBe(413)
    expect(sent).toBeLessThan(1000 << 20)
    await transport.close()
  })

  it.for([
    ['silence before the answer', () => {}, 'UND_ERR_BODY_TIMEOUT'],
    [
      'silence within the body',
      (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx'),
      'UND_ERR_BODY_TIMEOUT',
    ],
    ['an early end', (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx'), 'ECONNRESET'],
    ['an endless head', (socket: Socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`), 'EPROTO'],
    [
      'garbage between chunks',
      (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n'),
      'EPROTO',
    ],
  ] as const)('fails on %s', async ([, misbehave, code]) => {
    const url = await serve((socket) => socket.once('data', () => misbehave(socket)))
    const transport = new SocketTransport(url, { connectMs: 300_000 })
    // Only silence is measured; what is wrong in another way is found however long it takes.
    const limits = code === 'UND_ERR_BODY_TIMEOUT' ? { headersMs: 150, idleMs: 150 } : times
    const whole = async () =>
      readBody((await transport.send({ method: 'GET', url, headers: {}, ...limits })).body, 1000, 60_000)
    await expect(whole()).rejects.toMatchObject({ code })
    await transport.close()
  })

  it('takes the answer of a server that hangs up on an upload', async () => {
    const url = await serve((socket) =>
      socket.once('data', () => {
        socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
      }),
    )
    const transport = new SocketTransport(url, { connectMs: 300_000 })
    const body = async function* () {
      for (let n = 0; n < 50; n++) {
        yield Buffer.alloc(1 << 16)
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }
    const headers = { 'content-length': String(50 << 16) }
    const response = await transport.send({ method: 'PUT', url, headers, body: body(), ...times })
    expect(response.status).toBe(401)
    await transport.close()
  })

  it('replaces a kept connection that the server has closed, and lets go of one that is left early', async () => {
    let connections = 0
    let closed = 0
    const url = await serve((socket) => {
      connections++
      socket.on('close', () => closed++)
      socket.on('data', () =>
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${1 << 22}\r\n\r\n${'x'.repeat(1 << 22)}`),
      )
    })
    const transport = new SocketTransport(url, { connectMs: 300_000 })
    const get = () => transport.send({ method: 'GET', url, headers: {}, ...times })
    for await (const chunk of (await get()).body) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    await vi.waitFor(() => expect([connections, closed]).toEqual([1, 1]), { timeout: 60_000 })
    expect((await readBody((await get()).body, 1 << 23, 60_000))?.length).toBe(1 << 22)
    await (await get()).body.discard()
    expect(connections).toBe(2)
    await transport.close()
  })

  it('rejects with the reason of the signal', async () => {
    const url = await serve((socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx')),
    )
    const transport = new SocketTransport(url, { connectMs: 300_000 })
    const controller = new AbortController()
    const response = await transport.send({ method: 'GET', url, headers: {}, ...times, signal: controller.signal })
    setTimeout(() => controller.abort(new Error('enough')), 20)
    await expect(readBody(response.body, 1000, 60_000)).rejects.toThrow('enough')
    await transport.close()
  })
})

describe('proxies', () => {
  const select = proxySelector({
    http: 'http://p:1',
    https: 'p:2',
    noProxy: 'direct.example, .below.example,10.0.0.0/8,[fd00::1],*.star.example,ported.example:8443',
  })

  it.for([
    ['http://x.example/', 'http://p:1/'],
    ['https://x.example/', 'http://p:2/'],
    ['https://direct.example/', undefined],
    ['https://sub.direct.example/', undefined],
    ['https://notdirect.example/', 'http://p:2/'],
    ['https://a.below.example/', undefined],
    ['https://a.star.example/', undefined],
    ['https://10.1.2.3/', undefined],
    ['https://11.1.2.3/', 'http://p:2/'],
    ['https://[fd00::1]/', undefined],
    ['https://ported.example:8443/', undefined],
    ['https://ported.example/', 'http://p:2/'],
    ['http://localhost:5000/', undefined],
    ['http://127.3.2.1/', undefined],
    ['http://[::1]:5000/', undefined],
  ] as const)('%s → %s', ([url, proxy]) => {
    expect(select(new URL(url))?.href).toBe(proxy)
  })

  it('come from the environment', () => {
    expect(proxiesFromEnv({ HTTP_PROXY: 'a', http_proxy: 'b', NO_PROXY: '*' })).toEqual({
      http: 'b',
      https: undefined,
      noProxy: '*',
    })
    expect(proxiesFromEnv({ ALL_PROXY: 'c' })).toEqual({ http: 'c', https: 'c', noProxy: undefined })
    expect(proxySelector({ https: 'p:1', noProxy: '*' })(new URL('https://x.example'))).toBeUndefined()
    expect(() => proxySelector({ https: 'socks5://p:1' })).toThrow('not supported')
  })
})

describe('locations', () => {
  it.for([
    ['/v2/x?a=b', 'https://r.example/v2/x?a=b'],
    ['../y', 'https://r.example/v2/a/y'],
    ['https://u:p@other.example/x#f', 'https://other.example/x'],
    ['http://r.example/v2/x', 'https://r.example:8443/v2/x'],
  ] as const)('%s → %s', ([location, expected]) => {
    const from = new URL(
      location.startsWith('http://') ? 'https://r.example:8443/v2/a/b/c' : 'https://r.example/v2/a/b/c',
    )
    expect(resolveLocation(location, from, 'x').href).toBe(expected)
  })

  it.for(['http://other.example/x', 'file:///etc/passwd', 'data:text/plain,x', '', 'https://[bad'])(
    'refuses %j',
    (location) => {
      expect(() => resolveLocation(location, new URL('https://r.example/v2/'), 'x')).toThrow('redirect refused')
    },
  )
})

describe('waiting', () => {
  it.for([
    ['5', 5000],
    ['0.25', 250],
    ['Thu, 01 Jan 1970 00:01:00 GMT', 50_000],
    ['Thu, 01 Jan 1970 00:00:01 GMT', 0],
    ['soon', undefined],
  ] as const)('Retry-After: %s', ([value, expected]) => {
    expect(retryAfter(new Map([['retry-after', [value]]]), 10_000)).toBe(expected)
  })

  it('is shared by all requests to a host', async () => {
    const gate = new HostGate(Date.now)
    gate.close(50)
    gate.close(10)
    const began = performance.now()
    await Promise.all([gate.pass(undefined), gate.pass(undefined)])
    expect(performance.now() - began).toBeGreaterThan(40)
    gate.close(10_000)
    await expect(gate.pass(AbortSignal.timeout(10))).rejects.toThrow('timeout')
  })
})

describe('events', () => {
  it('show URLs without what is secret in them', () => {
    expect(redactUrl('https://u:p@r.example/v2/x?X-Sig=secret&digest=d#f')).toBe(
      'https://r.example/v2/x?X-Sig=…&digest=…',
    )
    expect(redactUrl('nonsense')).toBe('invalid URL')
  })

  it('read warnings of code 299', () => {
    expect(parseWarnings(['299 - "Your \\"plan\\" ends"', '199 - "other"', '299 r.example "a", 299 - "b"'])).toEqual([
      'Your "plan" ends',
      'a',
      'b',
    ])
  })
})
