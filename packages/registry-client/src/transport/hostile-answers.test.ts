import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { readBody } from './http.ts'
import { parseResponseHead } from './http-head.ts'
import { SocketTransport } from './socket-transport.ts'

const sockets = new Set<Socket>()
const servers: { close(): void }[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
  for (const socket of sockets) socket.destroy()
  sockets.clear()
})

async function serve(onRequest: (socket: Socket) => void): Promise<URL> {
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => onRequest(socket))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
}

/** Sends a text again and again, in step with the reader, until the connection is closed. */
function repeat(socket: Socket, text: string, everyMs = 0): void {
  const again = () => {
    if (socket.destroyed) return
    socket.write(text, () => (everyMs === 0 ? setImmediate(again) : setTimeout(again, everyMs)))
  }
  again()
}

const head = (fields: string) => `HTTP/1.1 200 OK\r\n${fields}\r\n\r\n`
const chunked = head('Transfer-Encoding: chunked')

async function fetchAll(url: URL, limits = { headersMs: 300_000, idleMs: 300_000, documentMs: 300_000 }) {
  const transport = new SocketTransport(url, { connectMs: 300_000 })
  try {
    const { body } = await transport.send({ method: 'GET', url, headers: {}, ...limits })
    return (await readBody(body, 1 << 20, limits.documentMs))?.toString()
  } finally {
    await transport.close()
  }
}

describe('heads that readers understand in different ways are refused', () => {
  it.for([
    ['several transfer codings', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity'],
    ['the same coding twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'],
    ['a list of codings', 'Transfer-Encoding: gzip, chunked'],
    ['an empty coding', 'Transfer-Encoding:'],
    ['two lengths', 'Content-Length: 5\r\nContent-Length: 6'],
    ['a list of lengths', 'Content-Length: 5, 6'],
    ['an empty length', 'Content-Length:'],
    ['a signed length', 'Content-Length: +5'],
    ['a length that Unicode would trim', 'Content-Length: \u000b5'],
    ['length and coding', 'Content-Length: 5\r\nTransfer-Encoding: chunked'],
    ['NUL', 'X: a\0b'],
    ['a bare CR', 'X: a\rContent-Length: 5'],
    ['a bare LF', 'X: a\nContent-Length: 5'],
    ['NUL in a name', 'X\0: a'],
    ['a blank before the colon', 'Content-Length : 5'],
    ['a folded line', 'X: a\r\n b: c'],
    ['a line without a colon', 'Content-Length'],
    ['more lines than anybody needs', Array.from({ length: 600 }, (_, n) => `X-${n}: y`).join('\r\n')],
  ])('%s', ([, fields]) => {
    expect(() => parseResponseHead(`HTTP/1.1 200 OK\r\n${fields}`, 'GET')).toThrow(
      expect.objectContaining({ code: 'EPROTO' }),
    )
  })

  it('in the status line, too', () => {
    for (const line of ['HTTP/1.1 200 O\rK', 'HTTP/1.1 200 O\nK', 'HTTP/1.1 200 O\0K', 'HTTP/1.1 0200 OK'])
      expect(() => parseResponseHead(`${line}\r\nContent-Length: 0`, 'GET')).toThrow()
  })

  it('a coding in HTTP/1.0', () => {
    expect(() => parseResponseHead('HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked', 'GET')).toThrow('HTTP/1.0')
  })

  it('and a body where there can be none ends the connection', () => {
    expect(parseResponseHead('HTTP/1.1 204 No Content\r\nContent-Length: 5', 'GET').keepAlive).toBe(false)
    expect(parseResponseHead('HTTP/1.1 204 No Content', 'GET').keepAlive).toBe(true)
  })
})

describe('answers without an end', () => {
  it.for([
    ['1xx answers', (socket: Socket) => repeat(socket, 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'), 'EPROTO'],
    [
      'headers',
      (socket: Socket) => {
        socket.write('HTTP/1.1 200 OK\r\n')
        repeat(socket, 'X: y\r\n')
      },
      'EPROTO',
    ],
    [
      'chunk extensions',
      (socket: Socket) => {
        socket.write(chunked)
        repeat(socket, `1;${'x'.repeat(1000)}\r\na\r\n`)
      },
      'EPROTO',
    ],
    [
      'one chunk extension',
      (socket: Socket) => {
        socket.write(`${chunked}1;`)
        repeat(socket, 'x')
      },
      'EPROTO',
    ],
    [
      'trailers',
      (socket: Socket) => {
        socket.write(`${chunked}0\r\n`)
        repeat(socket, 'X: y\r\n')
      },
      'EPROTO',
    ],
  ] as const)('%s', async ([, misbehave, code]) => {
    await expect(fetchAll(await serve(misbehave))).rejects.toMatchObject({ code })
  })

  // What drips is never silent for long: limits of the whole have to end it.
  const dripping = { headersMs: 60, idleMs: 60, documentMs: 60 }
  it.for([
    ['a head', (socket: Socket) => repeat(socket, 'H', 5)],
    ['1xx answers', (socket: Socket) => repeat(socket, 'HTTP/1.1 102 Processing\r\n\r\n', 5)],
    [
      'a body',
      (socket: Socket) => {
        socket.write(head('Content-Length: 100000'))
        repeat(socket, 'x', 5)
      },
    ],
    [
      'a body of chunks',
      (socket: Socket) => {
        socket.write(chunked)
        repeat(socket, '1\r\nx\r\n', 5)
      },
    ],
    [
      'the line of a chunk',
      (socket: Socket) => {
        socket.write(`${chunked}1;`)
        repeat(socket, 'x', 5)
      },
    ],
    [
      'trailers',
      (socket: Socket) => {
        socket.write(`${chunked}0\r\n`)
        repeat(socket, 'X: y\r\n', 5)
      },
    ],
  ] as const)('%s that drips', async ([, misbehave]) => {
    await expect(fetchAll(await serve(misbehave), dripping)).rejects.toMatchObject({ code: 'UND_ERR_BODY_TIMEOUT' })
  })

  it('a body that nobody wants', async () => {
    const url = await serve((socket) => {
      socket.write(head('Content-Length: 60000'))
      repeat(socket, 'x', 5)
    })
    const transport = new SocketTransport(url, { connectMs: 300_000 })
    const { body } = await transport.send({ method: 'GET', url, headers: {}, headersMs: 300_000, idleMs: 300_000 })
    await body.discard()
    await transport.close()
  })
})

describe('chunks', () => {
  it.for([
    ['a bare LF after the size', '5\nhello\r\n0\r\n\r\n'],
    ['a bare LF after the data', '5\r\nhello\n0\r\n\r\n'],
    ['a bare LF at the end', '5\r\nhello\r\n0\r\n\n'],
    ['a CR within an extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
    ['NUL in an extension', '5;a\0b\r\nhello\r\n0\r\n\r\n'],
    ['a sign', '+5\r\nhello\r\n0\r\n\r\n'],
    ['a prefix', '0x5\r\nhello\r\n0\r\n\r\n'],
    ['a blank before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
    ['a size beyond all bounds', 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n'],
    ['more data than the size says', '5\r\nhello!\r\n0\r\n\r\n'],
  ])('with %s are refused', async ([, body]) => {
    const url = await serve((socket) => socket.write(chunked + body))
    await expect(fetchAll(url)).rejects.toMatchObject({ code: 'EPROTO' })
  })

  it('with extensions and trailers of a reasonable size are read', async () => {
    const url = await serve((socket) => socket.write(`${chunked}5 ;a=b\r\nhello\r\n0;x\r\nTrailer: y\r\n\r\n`))
    expect(await fetchAll(url)).toBe('hello')
  })
})
