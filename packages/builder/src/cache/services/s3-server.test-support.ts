/** A server that speaks S3: what s3rver lacks, which is conditional writes, and faults. Path style only. */
import { createHash, randomUUID } from 'node:crypto'
import { type Exchange, rangeOf, TestServer } from './test-server.test-support.ts'

export interface TestObject {
  readonly bytes: Buffer
  readonly etag: string
  readonly type: string | undefined
  readonly meta: string | undefined
  modified: number
}

export interface TestS3 {
  readonly server: TestServer
  /** By bucket and key: `bucket/blobs/sha256:…`. */
  readonly objects: Map<string, TestObject>
  readonly uploads: Map<string, Map<number, Buffer>>
}

export async function startS3(): Promise<TestS3> {
  const objects = new Map<string, TestObject>()
  const uploads = new Map<string, Map<number, Buffer>>()
  const put = (key: string, bytes: Buffer, type?: string, meta?: string) => {
    const etag = `"${createHash('md5').update(bytes).digest('hex')}"`
    objects.set(key, { bytes, etag, type, meta, modified: Date.now() })
    return etag
  }
  const server = await new TestServer(answer).start()
  return { server, objects, uploads }

  function answer({ method, url, headers, body, response }: Exchange): void {
    const key = decodeURIComponent(url.pathname.slice(1))
    const fail = (status: number, code: string) =>
      response.writeHead(status).end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`)
    const xml = (text: string) => response.writeHead(200, { 'content-type': 'application/xml' }).end(text)
    if (!/^AWS4-HMAC-SHA256 Credential=test\//.test(headers.authorization ?? '')) return void fail(403, 'AccessDenied')
    if (createHash('sha256').update(body).digest('hex') !== headers['x-amz-content-sha256'])
      return void fail(400, 'XAmzContentSHA256Mismatch')
    if (!key.startsWith('bucket/')) return void fail(404, 'NoSuchBucket')
    const there = objects.get(key)
    const id = url.searchParams.get('uploadId')
    const source = headers['x-amz-copy-source']
    if (method === 'POST' && url.searchParams.has('uploads')) {
      const upload = randomUUID()
      uploads.set(upload, new Map())
      xml(`<InitiateMultipartUploadResult><UploadId>${upload}</UploadId></InitiateMultipartUploadResult>`)
    } else if (id !== null) {
      const parts = uploads.get(id)
      if (parts === undefined) return void fail(404, 'NoSuchUpload')
      if (method === 'PUT') {
        const number = Number(url.searchParams.get('partNumber'))
        const range = rangeOf(headers['x-amz-copy-source-range'] as string | undefined, 2 ** 50)
        const copied = source === undefined ? body : objects.get(sourceKey(source))!.bytes.subarray(...range)
        parts.set(number, copied)
        const etag = `"part${number}"`
        if (source === undefined) response.writeHead(200, { etag }).end()
        else xml(`<CopyPartResult><ETag>${etag}</ETag></CopyPartResult>`)
      } else if (method === 'DELETE') {
        uploads.delete(id)
        response.writeHead(204).end()
      } else {
        const named = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>"part(\d+)"<\/ETag>/g)]
        if (named.length !== parts.size || named.some(([, a, b]) => a !== b)) return void fail(400, 'InvalidPart')
        put(key, Buffer.concat(named.map(([, number]) => parts.get(Number(number))!)))
        uploads.delete(id)
        xml('<CompleteMultipartUploadResult></CompleteMultipartUploadResult>')
      }
    } else if (source !== undefined) {
      const from = objects.get(sourceKey(source))
      if (from === undefined) return void fail(404, 'NoSuchKey')
      if (headers['x-amz-metadata-directive'] !== 'REPLACE') return void fail(400, 'InvalidRequest')
      put(key, from.bytes, from.type, headers['x-amz-meta-updated-at'] as string)
      xml('<CopyObjectResult></CopyObjectResult>')
    } else if (method === 'PUT') {
      const [match, none] = [headers['if-match'], headers['if-none-match']]
      if (match !== undefined && there === undefined) return void fail(404, 'NoSuchKey')
      if ((match !== undefined && match !== there?.etag) || (none === '*' && there !== undefined))
        return void fail(412, 'PreconditionFailed')
      response.writeHead(200, { etag: put(key, body, headers['content-type']) }).end()
    } else if (there === undefined) {
      fail(404, 'NoSuchKey')
    } else {
      const [start, end] = rangeOf(headers.range, there.bytes.length)
      response.writeHead(headers.range === undefined ? 200 : 206, {
        etag: there.etag,
        'content-type': there.type ?? 'binary/octet-stream',
        'last-modified': new Date(there.modified).toUTCString(),
        'content-length': String(end - start),
      })
      response.end(method === 'HEAD' ? undefined : there.bytes.subarray(start, end))
    }
  }
}

function sourceKey(header: string | string[]): string {
  return decodeURIComponent(String(header)).replace(/^\//, '')
}
