/**
 * The in-memory registry's server: distribution-spec 1.1 over http on loopback.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { answerBlob, answerUpload, startUpload } from './answer-blobs.ts'
import { answerCatalog, answerManifest, answerReferrers, answerTags } from './answer-manifests.ts'
import { type Exchange, type Features, fail, type Reply } from './exchange.ts'
import { type FaultRule, Faults, sendBody } from './faults.ts'
import { RegistryStore } from './store.ts'
import { type TestAuth, TestAuthorizer } from './test-auth.ts'

/** One request as it arrived. */
export interface RecordedRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Status of the answer; 0 when there was none. */
  status: number
}

export interface TestRegistryOptions {
  readonly auth?: TestAuth
  /** Optional parts of the specification; all on by default. */
  readonly features?: Partial<Features>
  /** Speaks TLS with this certificate and key, in PEM. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Default: a free one. */
  readonly port?: number
  /** Default `127.0.0.1`. */
  readonly hostname?: string
}

const allFeatures: Features = {
  referrers: true,
  mount: true,
  chunks: true,
  multiTag: true,
  deletes: true,
  head: true,
  range: true,
}

/** A registry for tests. Dispose it (`await using`) to stop its server. */
export class TestRegistry implements AsyncDisposable {
  readonly store = new RegistryStore()
  readonly requests: RecordedRequest[] = []
  readonly #server: Server
  readonly #faults = new Faults()
  readonly #options: TestRegistryOptions
  readonly #auth: TestAuthorizer | undefined

  private constructor(options: TestRegistryOptions) {
    this.#options = options
    this.#auth = options.auth === undefined ? undefined : new TestAuthorizer(options.auth)
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      this.#serve(request, response).catch(() => response.destroy())
    }
    this.#server = options.tls === undefined ? createServer(serve) : createSecureServer(options.tls, serve)
    this.#server.on('clientError', (_error, socket) => socket.destroy())
  }

  static async start(options: TestRegistryOptions = {}): Promise<TestRegistry> {
    const registry = new TestRegistry(options)
    await new Promise<void>((resolve, reject) => {
      registry.#server.once('error', reject)
      registry.#server.listen(options.port ?? 0, options.hostname ?? '127.0.0.1', resolve)
    })
    return registry
  }

  /** `127.0.0.1:port`, as in references. */
  get host(): string {
    return `${this.#options.hostname ?? '127.0.0.1'}:${(this.#server.address() as AddressInfo).port}`
  }

  get url(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://${this.host}`
  }

  /** Makes the next matching requests fail. */
  inject(...rules: readonly FaultRule[]): void {
    this.#faults.add(...rules)
  }

  /** Forgets faults that have not shown and requests that have been recorded. */
  reset(): void {
    this.#faults.clear()
    this.requests.length = 0
  }

  /** Requests of a kind, for counting. */
  count(method: string, path = /./): number {
    return this.requests.filter((request) => request.method === method && path.test(request.path)).length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/'
    const { method = 'GET' } = request
    const record: RecordedRequest = { method, path, headers: request.headers, status: 0 }
    this.requests.push(record)
    response.on('error', () => {})
    const fault = this.#faults.take(method, path)
    if (fault?.kind === 'handle' && fault.handle(request, response)) return
    if (fault?.kind === 'status') {
      record.status = fault.status
      response.writeHead(fault.status, { connection: 'close', ...fault.headers }).end(fault.body)
      return
    }
    if (fault?.kind === 'redirect') {
      record.status = fault.status ?? 307
      response.writeHead(record.status, { location: fault.to(path) }).end()
      return
    }
    const limit = fault?.kind === 'reset-request' ? fault.afterBytes : undefined
    const body = await receive(request, limit, (part) => this.#keepPart(path, part))
    const features = { ...allFeatures, ...this.#options.features }
    const withoutRange = fault?.kind === 'ignore-range' ? { ...features, range: false } : features
    const url = new URL(path, this.url)
    const exchange: Exchange = {
      method,
      url,
      headers: request.headers,
      body,
      store: this.store,
      features: withoutRange,
    }
    const reply = this.#refused(request, url, body) ?? answer(exchange)
    if (fault?.kind === 'lose-answer') {
      request.socket.resetAndDestroy()
      return
    }
    record.status = reply.status
    const headers = { 'docker-distribution-api-version': 'registry/2.0', ...reply.headers }
    if (method === 'HEAD')
      response.writeHead(reply.status, { 'content-length': String(reply.body?.length ?? 0), ...headers }).end()
    else if (reply.status === 204) response.writeHead(204, headers).end()
    else await sendBody(response, reply.status, headers, reply.body ?? Buffer.alloc(0), fault)
  }

  /** Uploads keep what has arrived before a connection breaks. */
  #keepPart(path: string, part: Buffer): void {
    const match = /^\/v2\/(.+)\/blobs\/uploads\/([^/?]+)/.exec(path)
    if (match !== null) this.store.repository(match[1]!).uploads.get(match[2]!)?.push(part)
  }

  /** The token server's answer, or a refusal; undefined when the request may pass. */
  #refused(request: IncomingMessage, url: URL, body: Buffer): Reply | undefined {
    if (this.#auth === undefined) return undefined
    if (url.pathname === '/token') {
      const { status, body: answered } = this.#auth.token(request, url, body)
      return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(answered)) }
    }
    const repository = /^\/v2\/(.+)\/(?:blobs|manifests|tags|referrers)\//.exec(url.pathname)?.[1]
    const reads = request.method === 'GET' || request.method === 'HEAD'
    const actions = reads
      ? 'pull'
      : request.method === 'DELETE' && !url.pathname.includes('/uploads/')
        ? 'delete'
        : 'pull,push'
    const challenge = this.#auth.check(
      request,
      `${this.url}/token`,
      repository === undefined ? undefined : `repository:${repository}:${actions}`,
    )
    if (challenge === undefined) return undefined
    const refused = fail(401, 'UNAUTHORIZED', 'authentication required')
    return { ...refused, headers: { ...refused.headers, 'www-authenticate': challenge } }
  }
}

function answer(exchange: Exchange): Reply {
  const { pathname } = exchange.url
  if (pathname === '/v2/' || pathname === '/v2') return { status: 200, headers: {}, body: Buffer.from('{}') }
  if (pathname === '/v2/_catalog') return answerCatalog(exchange)
  const match = /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests|tags|referrers)\/([^/]*)$/.exec(pathname)
  if (match === null) return fail(404, 'NAME_UNKNOWN', 'no such endpoint')
  const [, repository, kind, last] = match as unknown as [string, string, string, string]
  switch (kind) {
    case 'manifests':
      return answerManifest(exchange, repository, decodeURIComponent(last))
    case 'tags':
      return answerTags(exchange, repository)
    case 'referrers':
      return answerReferrers(exchange, repository, last)
    case 'blobs':
      return answerBlob(exchange, repository, last)
    default:
      return last === '' ? startUpload(exchange, repository) : answerUpload(exchange, repository, last)
  }
}

/** The whole body; with a limit, the connection is broken there and what came before is handed to `keep`. */
async function receive(
  request: IncomingMessage,
  resetAfter: number | undefined,
  keep: (part: Buffer) => void,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (resetAfter !== undefined && size >= resetAfter) {
      keep(Buffer.concat(chunks).subarray(0, resetAfter))
      request.socket.resetAndDestroy()
      throw new Error('connection broken on purpose')
    }
  }
  return Buffer.concat(chunks, size)
}
