import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { RegistryClient } from '@tsbuild/registry-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseChecksum } from './checksum.ts'
import { type FetchOptions, fetchHttp } from './http.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const servers: Server[] = []
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
})

/** A server on loopback; the paths asked for and what came with them are kept. */
async function serve(handler: Handler): Promise<{ url: string; seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    seen.push(request)
    handler(request, response)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

async function fetched(url: string, options: Partial<FetchOptions> = {}) {
  const chunks: Uint8Array[] = []
  await using client = new RegistryClient({ credentials: false, env: {}, retry: { baseMs: 1 } })
  const result = await fetchHttp(url, {
    client,
    signal: new AbortController().signal,
    async sink(body) {
      for await (const chunk of body) chunks.push(chunk)
    },
    ...options,
  })
  return { ...result, text: Buffer.concat(chunks).toString() }
}

const failing = (url: string, options?: Partial<FetchOptions>) => fetched(url, options).catch((error: unknown) => error)

describe('fetchHttp on a port that browsers block', () => {
  it('downloads, packed or not, and says why it cannot', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/gzip') response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('unpacked'))
      else if (request.url === '/moved') response.writeHead(302, { location: '/plain' }).end()
      else if (request.url === '/same') response.writeHead(304).end()
      else response.writeHead(200, { etag: '"v1"' }).end('plain')
    })
    servers.push(server)
    const port = await listenOnBlockedPort(server)
    const url = `http://127.0.0.1:${port}`
    expect(await fetched(`${url}/plain`)).toMatchObject({ text: 'plain', etag: '"v1"' })
    expect(await fetched(`${url}/gzip`)).toMatchObject({ text: 'unpacked' })
    expect(await fetched(`${url}/moved`)).toMatchObject({ text: 'plain' })
    expect(await fetched(`${url}/same`, { validators: { etag: '"v1"' } })).toMatchObject({ kind: 'unchanged' })
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    expect(await failing(`${url}/plain`)).toMatchObject({
      code: 'HTTP_FAILED',
      message: `failed to load ${url}/plain: connect ECONNREFUSED 127.0.0.1:${port}`,
    })
  })
})

/** The first of some ports that nobody listens on. */
async function listenOnBlockedPort(server: Server): Promise<number> {
  for (const port of [6667, 6566, 10080, 4190, 5060]) {
    const listening = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (listening) return port
  }
  throw new Error('all of the ports are in use')
}

describe('fetchHttp', () => {
  let main: Awaited<ReturnType<typeof serve>>
  let failures = 0
  beforeAll(async () => {
    main = await serve((request, response) => {
      const path = request.url ?? ''
      if (path === '/file') {
        response.setHeader('last-modified', 'Wed, 21 Oct 2015 07:28:00 GMT').setHeader('etag', '"v1"')
        if (request.headers['if-none-match'] === '"v1"') response.writeHead(304).end()
        else response.end('BODY')
      } else if (path === '/hdr')
        response.writeHead(200, { etag: `"${'e'.repeat(8000)}"`, 'last-modified': 'garbage' }).end('ok')
      else if (path === '/dated') {
        response.setHeader('last-modified', 'Wed, 21 Oct 2015 07:28:00 GMT')
        if (request.headers['if-modified-since'] !== undefined) response.writeHead(304).end()
        else response.end('an older one')
      } else if (path === '/gzip') response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('unpacked'))
      else if (path.startsWith('/loop')) response.writeHead(302, { location: `/loop${Math.random()}` }).end()
      else if (path === '/moved') response.writeHead(301, { location: 'file' }).end()
      else if (path === '/scheme') response.writeHead(302, { location: 'file:///etc/passwd' }).end()
      else if (path === '/short') {
        response.writeHead(200, { 'content-length': '1000' }).write('x'.repeat(10))
        setTimeout(() => response.destroy(), 20)
      } else if (path === '/recovers') response.writeHead(failures++ === 0 ? 503 : 200).end('better')
      else response.writeHead(path === '/500' ? 500 : 404).end('nope')
    })
  })

  it('gives digest, size, time and validators', async () => {
    expect(await fetched(`${main.url}/file`)).toEqual({
      kind: 'downloaded',
      text: 'BODY',
      digest: `sha256:${sha256('BODY')}`,
      size: 4,
      mtime: Date.UTC(2015, 9, 21, 7, 28) / 1000,
      etag: '"v1"',
    })
  })

  it('has no time for what the server does not tell', async () => {
    expect(await fetched(`${main.url}/hdr`)).toMatchObject({ mtime: 0, text: 'ok' })
  })

  it('asks whether what is known is still the same', async () => {
    expect(await fetched(`${main.url}/file`, { validators: { etag: '"v1"' } })).toEqual({ kind: 'unchanged', text: '' })
    expect(await fetched(`${main.url}/file`, { validators: { etag: '"v0"' } })).toMatchObject({ kind: 'downloaded' })
  })

  it('asks for the whole where there is no ETag: what is older now was not modified since', async () => {
    const { etag } = (await fetched(`${main.url}/dated`)) as { etag?: string }
    expect(await fetched(`${main.url}/dated`, { validators: { etag } })).toMatchObject({ text: 'an older one' })
  })

  it('undoes the encoding of the transfer', async () => {
    expect(await fetched(`${main.url}/gzip`)).toMatchObject({
      text: 'unpacked',
      digest: `sha256:${sha256('unpacked')}`,
    })
  })

  it('follows redirects and asks again after a failure of the server', async () => {
    expect(await fetched(`${main.url}/moved`)).toMatchObject({ text: 'BODY' })
    expect(await fetched(`${main.url}/recovers`)).toMatchObject({ text: 'better' })
  })

  it.each([
    ['/404', { code: 'HTTP_STATUS', message: expect.stringContaining('invalid response status 404') }],
    ['/500', { code: 'HTTP_STATUS', message: expect.stringContaining('invalid response status 500') }],
    ['/loop', { code: 'HTTP_FAILED', message: expect.stringContaining('stopped after 10 redirects') }],
    ['/scheme', { code: 'HTTP_FAILED', message: expect.stringContaining('redirected to file:') }],
    ['/short', { code: 'HTTP_FAILED' }],
  ])('fails for %s', async (path, want) => expect(await failing(main.url + path)).toMatchObject(want))

  it('fails if nobody answers', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    expect(await failing(`http://u:secret@127.0.0.1:${port}/x`)).toMatchObject({
      code: 'HTTP_FAILED',
      message: expect.stringMatching(/^failed to load http:\/\/xxxxx@127\.0\.0\.1:\d+\/x: .*ECONNREFUSED/),
    })
  })

  it('checks the digest', async () => {
    const sha512 = createHash('sha512').update('BODY').digest('hex')
    expect(await fetched(`${main.url}/file`, { checksum: `sha256:${sha256('BODY')}` })).toMatchObject({ text: 'BODY' })
    expect(await fetched(`${main.url}/file`, { checksum: `sha512:${sha512}` })).toMatchObject({ text: 'BODY' })
    expect(await failing(`${main.url}/file`, { checksum: `sha256:${'0'.repeat(64)}` })).toMatchObject({
      code: 'CHECKSUM_MISMATCH',
      message: `digest mismatch for ${main.url}/file: sha256:${sha256('BODY')} (expected: sha256:${'0'.repeat(64)})`,
    })
  })

  it('bounds the size', async () => {
    expect(await failing(`${main.url}/file`, { maxSize: 3 })).toMatchObject({ code: 'HTTP_FAILED' })
  })

  it('ends when it is aborted', async () => {
    const silent = await serve((_, response) => void response.writeHead(200).write('x'))
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 50)
    expect(await failing(`${silent.url}/x`, { signal: controller.signal })).toMatchObject({ code: 'CANCELLED' })
  })

  it('gives errors of the sink as they are', async () => {
    const error = Object.assign(new Error('disk full'), { code: 'ENOSPC' })
    const sink = () => Promise.reject(error)
    expect(await failing(`${main.url}/file`, { sink })).toBe(error)
  })

  it('sends credentials of the URL to its own origin only', async () => {
    const other = await serve((_, response) => void response.end('other'))
    const login = await serve((request, response) => {
      if (request.url === '/same') response.writeHead(302, { location: '/end' }).end()
      else if (request.url === '/end') response.end('end')
      else response.writeHead(302, { location: `${other.url}/x` }).end()
    })
    const url = login.url.replace('//', '//u:p%40ss@')
    expect(await fetched(`${url}/same`)).toMatchObject({ text: 'end' })
    expect(await fetched(`${url}/away`)).toMatchObject({ text: 'other' })
    const basic = `Basic ${Buffer.from('u:p@ss').toString('base64')}`
    expect(login.seen.map((r) => r.headers.authorization)).toEqual([basic, basic, basic])
    expect(other.seen.map((r) => r.headers.authorization)).toEqual([undefined])
  })
})

describe('parseChecksum', () => {
  it('reads digests', () => {
    expect(parseChecksum(`sha256:${'a'.repeat(64)}`)).toEqual({ algorithm: 'sha256', hex: 'a'.repeat(64) })
  })

  it.each([
    ['sha256:xyz', 'invalid checksum digest length'],
    [`sha256:${'g'.repeat(64)}`, 'invalid checksum digest format'],
    [`sha256:${'A'.repeat(64)}`, 'invalid checksum digest format'],
    [`md5:${'0'.repeat(32)}`, 'unsupported digest algorithm'],
    ['constructor:0', 'unsupported digest algorithm'],
    ['sha256:', 'invalid checksum digest format'],
    [':aa', 'invalid checksum digest format'],
    ['aa', 'invalid checksum digest format'],
  ])('%s is refused', (text, reason) => {
    expect(() => parseChecksum(text)).toThrow(
      expect.objectContaining({ code: 'CHECKSUM_INVALID', message: expect.stringContaining(reason) }),
    )
  })
})
