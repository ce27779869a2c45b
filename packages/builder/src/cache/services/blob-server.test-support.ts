/**
 * A server that speaks as much of Azure's blob storage as caches need: Put Blob, Put Block, Put Block List with conditions,
 * Range, containers. It checks signatures by the account's key; a signature in the URL (`sig=good`) and `Bearer good` pass.
 */
import { createHmac, randomUUID } from 'node:crypto'
import { type Exchange, rangeOf, TestServer } from './test-server.test-support.ts'

export interface TestBlob {
  readonly bytes: Buffer
  readonly etag: string
  readonly type: string | undefined
}

export interface TestBlobs {
  readonly server: TestServer
  /** `account/container/name`. */
  readonly blobs: Map<string, TestBlob>
  readonly containers: Set<string>
}

export const TEST_KEY = Buffer.from('the key of the account').toString('base64')

/** Blobs of the account `account`, by path: `http://127.0.0.1:PORT/account/container/name`. */
export class BlobService {
  readonly blobs = new Map<string, TestBlob>()
  readonly containers = new Set<string>()
  readonly #blocks = new Map<string, Map<string, Buffer>>()

  put(name: string, bytes: Buffer, type?: string): string {
    const etag = `"${randomUUID()}"`
    this.blobs.set(name, { bytes, etag, type })
    return etag
  }

  answer({ method, url, headers, body, response }: Exchange): void {
    const name = decodeURIComponent(url.pathname.slice(1))
    const container = name.split('/').slice(0, 2).join('/')
    const fail = (status: number, code: string) =>
      response
        .writeHead(status, { 'x-ms-error-code': code })
        .end(method === 'HEAD' ? '' : `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`)
    if (!isAllowed({ method, url, headers, body })) return void fail(403, 'AuthenticationFailed')
    if (url.searchParams.get('restype') === 'container') {
      if (method === 'HEAD') return void (this.containers.has(name) ? response.end() : fail(404, 'ContainerNotFound'))
      if (this.containers.has(name)) return void fail(409, 'ContainerAlreadyExists')
      this.containers.add(name)
      return void response.writeHead(201).end()
    }
    if (!this.containers.has(container)) return void fail(404, 'ContainerNotFound')
    const there = this.blobs.get(name)
    const comp = url.searchParams.get('comp')
    const blocks = this.#blocks.get(name) ?? new Map<string, Buffer>()
    if (method === 'PUT' && comp === 'block') {
      this.#blocks.set(name, blocks.set(url.searchParams.get('blockid')!, body))
      response.writeHead(201).end()
    } else if (method === 'PUT') {
      if (headers['if-none-match'] === '*' && there !== undefined) return void fail(409, 'BlobAlreadyExists')
      const match = headers['if-match']
      if (match !== undefined && match !== there?.etag) return void fail(412, 'ConditionNotMet')
      let bytes = body
      if (comp === 'blocklist') {
        const ids = [...body.toString().matchAll(/<(?:Latest|Uncommitted)>([^<]+)</g)].map(([, id]) => id!)
        if (ids.some((id) => !blocks.has(id))) return void fail(400, 'InvalidBlockList')
        bytes = Buffer.concat(ids.map((id) => blocks.get(id)!))
      } else if (headers['x-ms-blob-type'] !== 'BlockBlob') return void fail(400, 'MissingRequiredHeader')
      const type = headers['x-ms-blob-content-type'] ?? (comp === null ? headers['content-type'] : undefined)
      response.writeHead(201, { etag: this.put(name, bytes, type as string | undefined) }).end()
    } else if (there === undefined) fail(404, 'BlobNotFound')
    else {
      const range = (headers['x-ms-range'] ?? headers.range) as string | undefined
      const [start, end] = rangeOf(range, there.bytes.length)
      response.writeHead(range === undefined ? 200 : 206, {
        etag: there.etag,
        'content-type': there.type ?? 'application/octet-stream',
        'last-modified': new Date().toUTCString(),
        'content-length': String(end - start),
        ...(range !== undefined && { 'content-range': `bytes ${start}-${end - 1}/${there.bytes.length}` }),
        'x-ms-blob-type': 'BlockBlob',
      })
      response.end(method === 'HEAD' ? undefined : there.bytes.subarray(start, end))
    }
  }
}

export async function startBlobs(): Promise<TestBlobs> {
  const service = new BlobService()
  const server = await new TestServer((exchange) => service.answer(exchange)).start()
  return { server, blobs: service.blobs, containers: service.containers }
}

function isAllowed({ method, url, headers, body }: Omit<Exchange, 'response'>): boolean {
  if (url.searchParams.has('sig')) return url.searchParams.get('sig') === 'good'
  const given = headers.authorization ?? ''
  if (given.startsWith('Bearer ')) return given === 'Bearer good'
  const lines = Object.entries(headers).flatMap(([name, value]) => (/^x-ms-/.test(name) ? [`${name}:${value}`] : []))
  const text = [
    `${method}\n\n\n${body.length || ''}\n`,
    headers['content-type'] ?? '',
    '\n',
    headers['if-match'] ?? '',
    headers['if-none-match'] ?? '',
    '\n',
    ...lines.sort(),
    `/account${url.pathname}`,
    ...[...url.searchParams].map(([name, value]) => `${name}:${value}`).sort(),
  ].join('\n')
  const signature = createHmac('sha256', Buffer.from(TEST_KEY, 'base64')).update(text).digest('base64')
  return given === `SharedKey account:${signature}`
}
