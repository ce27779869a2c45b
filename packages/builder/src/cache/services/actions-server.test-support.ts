/** The cache service of GitHub Actions, both versions, with its content in a blob service on the same origin. */
import { BlobService } from './blob-server.test-support.ts'
import { type Exchange, TestServer } from './test-server.test-support.ts'

export interface TestEntry {
  readonly key: string
  readonly version: string
  readonly ref: string
  /** `account/container/name` */
  readonly blob: string
  readonly id: number
  finished: boolean
}

export interface TestActions {
  readonly server: TestServer
  readonly entries: TestEntry[]
  readonly service: BlobService
  /** Content of the newest finished entry whose key begins so. */
  newest(prefix: string): TestEntry | undefined
}

/** What a job's token looks like. Permissions: 1 to read, 2 to write. */
export function actionsToken(refs: Readonly<Record<string, number>>, exp?: number): string {
  const ac = JSON.stringify(Object.entries(refs).map(([Scope, Permission]) => ({ Scope, Permission })))
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ ac, ...(exp !== undefined && { exp }) })}.signature`
}

export async function startActions(): Promise<TestActions> {
  const entries: TestEntry[] = []
  const service = new BlobService()
  service.containers.add('account/cache')
  const chunks = new Map<number, Buffer[]>()
  const server = await new TestServer(answer).start()

  function answer(exchange: Exchange): unknown {
    const { url, headers, body, response, method } = exchange
    if (url.pathname.startsWith('/account/')) return service.answer(exchange)
    const refs = refsOf(headers.authorization)
    if (refs === undefined) return response.writeHead(401).end('{"code":"unauthenticated","msg":"no"}')
    const json = (value: object, status = 200) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    const twirp = /^\/twirp\/github\.actions\.results\.api\.v1\.CacheService\/(\w+)$/.exec(url.pathname)?.[1]
    const first = /^\/_apis\/artifactcache\/(cache|caches)(?:\/(\d+))?$/.exec(url.pathname)
    if (first !== null && method === 'PATCH') {
      const id = Number(first[2])
      const begin = Number(/^bytes (\d+)-/.exec(String(headers['content-range']))![1])
      const all = chunks.get(id) ?? []
      chunks.set(id, all)
      all[begin] = body
      return response.writeHead(204).end()
    }
    const given = body.length === 0 ? {} : JSON.parse(body.toString())
    if (twirp === 'CreateCacheEntry' || (first?.[1] === 'caches' && first[2] === undefined)) {
      const entry = create(given.key, given.version, refs)
      if (entry === undefined) return json({ code: 'already_exists', msg: `${given.key} exists` }, 409)
      json(twirp ? { ok: true, signed_upload_url: signed(entry) } : { cacheId: entry.id }, twirp ? 200 : 201)
    } else if (twirp === 'FinalizeCacheEntryUpload') {
      const entry = entries.find((one) => one.key === given.key && one.version === given.version && !one.finished)
      const size = entry && service.blobs.get(entry.blob)?.bytes.length
      if (entry === undefined || size !== Number(given.size_bytes)) return json({ code: 'malformed', msg: 'size' }, 400)
      entry.finished = true
      json({ ok: true, entry_id: String(entry.id) })
    } else if (first?.[2] !== undefined) {
      const entry = entries[Number(first[2])]!
      const bytes = Buffer.concat(Object.values(chunks.get(entry.id) ?? []))
      if (bytes.length !== given.size) return json({ message: 'size' }, 400)
      service.put(entry.blob, bytes)
      entry.finished = true
      response.writeHead(204).end()
    } else if (twirp === 'GetCacheEntryDownloadURL') {
      const entry = find([given.key], given.version, refs, true) ?? find(given.restore_keys ?? [], given.version, refs)
      json(entry ? { ok: true, signed_download_url: signed(entry), matched_key: entry.key } : { ok: false })
    } else if (first?.[1] === 'cache') {
      const keys = (url.searchParams.get('keys') ?? '').split(',')
      const version = url.searchParams.get('version')!
      const entry = find([keys[0]!], version, refs, true) ?? find(keys, version, refs)
      if (entry === undefined) return response.writeHead(204).end()
      json({ cacheKey: entry.key, scope: entry.ref, archiveLocation: signed(entry) })
    } else response.writeHead(404).end()
  }

  function create(key: string, version: string, refs: Map<string, number>): TestEntry | undefined {
    const ref = [...refs].findLast(([, permission]) => (permission & 2) !== 0)?.[0]
    if (ref === undefined) throw new Error('may not write')
    if (entries.some((one) => one.key === key && one.version === version && one.ref === ref)) return undefined
    const id = entries.length
    const entry = { key, version, ref, id, blob: `account/cache/${id}-${key}`, finished: false }
    entries.push(entry)
    return entry
  }

  function find(keys: readonly string[], version: string, refs: Map<string, number>, exact = false) {
    for (const ref of refs.keys())
      for (const key of keys) {
        const matches = (one: TestEntry) => (exact ? one.key === key : one.key.startsWith(key))
        const found = entries.findLast((e) => e.finished && e.ref === ref && e.version === version && matches(e))
        if (found !== undefined) return found
      }
    return undefined
  }

  function signed({ blob }: TestEntry): string {
    return `${server.origin}/${blob.split('/').map(encodeURIComponent).join('/')}?sv=2021&sig=good`
  }

  return {
    server,
    entries,
    service,
    newest: (prefix) => entries.findLast((e) => e.finished && e.key.startsWith(prefix)),
  }
}

function refsOf(authorization: string | undefined): Map<string, number> | undefined {
  const token = /^Bearer (\S+)\.signature$/.exec(authorization ?? '')?.[1]
  if (token === undefined) return undefined
  const { ac } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
  const list = JSON.parse(ac) as { Scope: string; Permission: number }[]
  return new Map(list.map(({ Scope, Permission }) => [Scope, Permission]))
}
