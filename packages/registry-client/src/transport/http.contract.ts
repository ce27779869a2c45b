/** What every {@link HttpTransport} does alike, whoever carries the bytes. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type HttpRequest, type HttpTransport, readBody } from './http.ts'
import { isNetworkError, isTimeout } from './retry.ts'

/** A transport to a server of loopback, and what carries it. */
export interface TransportUnderTest extends AsyncDisposable {
  readonly transport: HttpTransport
  /** Of the server, as the transport is asked for it. */
  readonly origin: URL
}

const big = Buffer.alloc(3 << 20, 'big body ')
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** @param open to a server on a port of loopback */
export function httpTransportContract(name: string, open: (port: number) => Promise<TransportUnderTest>): void {
  describe(name, () => {
    const handlers: Record<string, (request: IncomingMessage, response: ServerResponse) => unknown> = {
      '/big': (_, response) => response.end(big),
      '/chunked': (_, response) => response.write('one ') && response.end('two'),
      '/headers': (request, response) =>
        response
          .writeHead(
            202,
            [
              ['X-Own', String(request.headers['x-own'])],
              ['Link', 'a'],
              ['Link', 'b'],
            ].flat(),
          )
          .end(),
      '/echo': async (request, response) => response.end(sha256(await buffer(request))),
      '/moved': (_, response) => response.writeHead(307, { location: '/big' }).end('gone there'),
      '/refused': (_, response) => response.writeHead(413).end('no'),
      '/silent': () => {},
      '/stalls': (_, response) => response.writeHead(200, { 'content-length': '10' }).write('half'),
      '/breaks': (_, response) =>
        response.writeHead(200, { 'content-length': '10' }).write('half', () => response.destroy()),
    }
    const server = createServer((request, response) => handlers[request.url!]!(request, response))
    let tested: TransportUnderTest
    beforeAll(async () => {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      tested = await open((server.address() as AddressInfo).port)
    })
    afterAll(async () => {
      await tested[Symbol.asyncDispose]()
      server.closeAllConnections()
      server.close()
    })

    const patient = { headersMs: 60_000, idleMs: 60_000 }
    const send = (path: string, request: Partial<HttpRequest> = {}) =>
      tested.transport.send({ method: 'GET', url: new URL(path, tested.origin), headers: {}, ...patient, ...request })
    const text = async (path: string, request?: Partial<HttpRequest>) =>
      (await readBody((await send(path, request)).body, 8 << 20, 60_000))!.toString()

    it('gives the body, whole and in chunks', async () => {
      expect(sha256(Buffer.from(await text('/big')))).toBe(sha256(big))
      expect(await text('/chunked')).toBe('one two')
    })

    it('gives headers in lower case, each with all its values, and sends those it is given', async () => {
      const { status, headers, body } = await send('/headers', { headers: { 'x-own': 'mine' } })
      expect([status, headers.get('x-own'), headers.get('link')]).toEqual([202, ['mine'], ['a', 'b']])
      await body.discard()
    })

    it('has no body for HEAD', async () => expect(await text('/big', { method: 'HEAD' })).toBe(''))

    it.each([
      ['in one piece', () => big, {}],
      ['of a known length, in pieces', pieces, { 'content-length': String(big.length) }],
      ['of an unknown length', pieces, {}],
    ] as const)('sends a body %s', async (_, body, headers) => {
      expect(await text('/echo', { method: 'PUT', headers, body: body() })).toBe(sha256(big))
    })

    it('leaves redirects and refusals to whoever asks', async () => {
      const { status, headers, body } = await send('/moved')
      expect([status, headers.get('location')]).toEqual([307, ['/big']])
      await body.discard()
      expect((await send('/refused')).status).toBe(413)
    })

    it('goes on after bodies that nobody wants, and that nobody reads to the end', async () => {
      for (let times = 0; times < 3; times++) {
        await (await send('/big')).body.discard()
        for await (const _ of (await send('/big')).body) break
      }
      expect(await text('/chunked')).toBe('one two')
    })

    it.each(['/silent', '/stalls'])('is not silent for ever: %s', async (path) => {
      const error: unknown = await text(path, { headersMs: 50, idleMs: 50 }).catch((error: unknown) => error)
      expect([isTimeout(error), isNetworkError(error)]).toEqual([true, true])
    })

    it('tells a broken connection by an error of the network', async () => {
      expect(await text('/breaks').catch(isNetworkError)).toBe(true)
    })

    it.each(['/silent', '/stalls'])('rejects with the reason of the signal: %s', async (path) => {
      const controller = new AbortController()
      const asking = text(path, { signal: controller.signal })
      const failed = expect(asking).rejects.toThrow('enough')
      for (let turn = 0; turn < 50; turn++) await nextTurn()
      controller.abort(new Error('enough'))
      await failed
      await expect(send(path, { signal: controller.signal })).rejects.toThrow('enough')
    })

    it('ends what is on its way when it is closed', async () => {
      await using other = await open((server.address() as AddressInfo).port)
      const request = { method: 'GET', url: new URL('/stalls', other.origin), headers: {}, ...patient }
      const { body } = await other.transport.send(request)
      const failed = expect(readBody(body, 100, 60_000).catch(isNetworkError)).resolves.toBe(true)
      await other.transport.close()
      await failed
    })
  })
}

/** One buffer for all chunks, as whoever reads files has it. */
async function* pieces(): AsyncGenerator<Buffer> {
  const shared = Buffer.alloc(100_000)
  for (let at = 0; at < big.length; at += shared.length)
    yield shared.subarray(0, big.copy(shared, 0, at, at + shared.length))
}
