/** Signatures of requests to Amazon's services and those that speak like them (AWS Signature Version 4). */
import { createHash, createHmac } from 'node:crypto'

/** Credentials as Amazon's services know them. */
export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string | undefined
}

export interface RequestToSign {
  readonly method: string
  readonly url: URL
  /** Beside `host` and those that signing adds; names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | undefined
}

/** What is signed for, and when. */
export interface Scope {
  readonly credentials: AwsCredentials
  readonly region: string
  readonly service: string
  /** Milliseconds. */
  readonly time: number
}

/** The headers of a request, with its signature. All that are given are signed. */
export function signRequest(request: RequestToSign, scope: Scope): Record<string, string> {
  const { method, url, body } = request
  const { credentials, region, service } = scope
  const date = new Date(scope.time).toISOString().replace(/[-:]|\.\d+/g, '')
  const content = sha256(body ?? '')
  const headers: Record<string, string> = {
    ...request.headers,
    'x-amz-content-sha256': content,
    'x-amz-date': date,
    ...(credentials.sessionToken !== undefined && { 'x-amz-security-token': credentials.sessionToken }),
  }
  const signed = new Map(Object.entries({ ...headers, host: url.host }).sort(([a], [b]) => (a < b ? -1 : 1)))
  const names = [...signed.keys()].join(';')
  const canonical = [
    method,
    // S3 takes the path as it is sent; paths of the other services here are `/`.
    url.pathname,
    canonicalQuery(url),
    ...[...signed].map(([name, value]) => `${name}:${value.trim().replace(/ +/g, ' ')}`),
    '',
    names,
    content,
  ].join('\n')
  const place = `${date.slice(0, 8)}/${region}/${service}/aws4_request`
  const text = ['AWS4-HMAC-SHA256', date, place, sha256(canonical)].join('\n')
  const key = place.split('/').reduce<Buffer | string>(hmac, `AWS4${credentials.secretAccessKey}`)
  const signature = hmac(key, text).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${place}, SignedHeaders=${names}, Signature=${signature}`
  return { ...headers, authorization }
}

/** Text as RFC 3986 has it in a path or query: everything but its unreserved characters is encoded. */
export function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

function canonicalQuery(url: URL): string {
  return [...url.searchParams]
    .map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`)
    .sort()
    .join('&')
}

function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex')
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
