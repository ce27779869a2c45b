import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { beforeAll, describe, expect, it } from 'vitest'
import { copy } from '../copy/copy.ts'
import { MemoryImages } from '../layout/memory.ts'
import { digestOf } from '../model/digest.ts'
import { isRegistryError } from '../model/errors.ts'
import { type FaultRule, TestRegistry, type TestRegistryOptions } from '../testing/index.ts'
import { RegistryClient, type RegistryClientOptions } from './client.ts'

const MiB = 1 << 20
/** As small as it may be: it is sent a hundred times, and more than the smallest chunk of an upload. */
const layer = randomBytes(2 * MiB)
const half = layer.length / 2
const blobGet = { method: 'GET', path: /\/blobs\/sha256/ }
const uploadPut = { method: 'PUT', path: /\/blobs\/uploads\// }
const tagPut = { method: 'PUT', path: /\/manifests\// }

/** What becomes of an operation: it succeeds, or fails with a code. */
type Outcome = 'ok' | string

interface Row {
  readonly name: string
  /** @param elsewhere another server with the same content */
  readonly rules: (elsewhere: TestRegistry) => readonly FaultRule[]
  /** Operations that meet the fault. */
  readonly pull?: Outcome
  readonly push?: Outcome
  readonly copy?: Outcome
  readonly registry?: TestRegistryOptions
  readonly client?: RegistryClientOptions
  /** The server says nothing for ever: the client has to notice. */
  readonly silent?: boolean
  /** More to check when all is done. */
  readonly after?: (registry: TestRegistry) => void
}

const once = (rule: FaultRule) => () => [rule]
const always = (rule: Omit<FaultRule, 'times'>) => () => [{ ...rule, times: 1000 }]
const status = (code: number, headers?: Record<string, string>) =>
  ({ kind: 'status', status: code, ...(headers && { headers }) }) as const

/** Milliseconds by which tokens live and die; stands still but for {@link outlive}. */
let clock = 1_000_000
const now = () => clock

/** Takes longer than the token of the request lives. */
const outlive = () => {
  clock += 2100
  return false
}
const speakSsh = (request: IncomingMessage) => {
  request.socket.end('SSH-2.0-x\r\n\r\n')
  return true
}

const rows: Row[] = [
  {
    name: 'RST after half',
    rules: once({ ...blobGet, fault: { kind: 'reset', afterBytes: half } }),
    pull: 'ok',
    copy: 'ok',
  },
  {
    name: 'FIN after half',
    rules: once({ ...blobGet, fault: { kind: 'close', afterBytes: half } }),
    pull: 'ok',
    copy: 'ok',
  },
  {
    name: 'FIN after half, no Range',
    rules: once({ ...blobGet, fault: { kind: 'close', afterBytes: half } }),
    registry: { features: { range: false } },
    pull: 'ok',
  },
  {
    name: 'FIN after a quarter, every time',
    rules: always({ ...blobGet, fault: { kind: 'close', afterBytes: half / 2 } }),
    pull: 'ok',
  },
  {
    name: 'RST at once, every time',
    rules: always({ ...blobGet, fault: { kind: 'reset', afterBytes: 0 } }),
    pull: 'NETWORK',
  },
  { name: 'byte flip', rules: once({ ...blobGet, fault: { kind: 'flip', at: half + 5 } }), pull: 'ok', copy: 'ok' },
  {
    name: 'byte flip, every time',
    rules: always({ ...blobGet, fault: { kind: 'flip', at: 100 } }),
    pull: 'DIGEST_MISMATCH',
    copy: 'DIGEST_MISMATCH',
  },
  { name: 'short Content-Length', rules: once({ ...blobGet, fault: { kind: 'length', add: -10 } }), pull: 'ok' },
  {
    name: 'short Content-Length, every time, no Range',
    rules: always({ ...blobGet, fault: { kind: 'length', add: -10 } }),
    registry: { features: { range: false } },
    pull: 'SIZE_MISMATCH',
  },
  { name: 'long Content-Length', rules: once({ ...blobGet, fault: { kind: 'length', add: 10 } }), pull: 'ok' },
  {
    name: 'long Content-Length, every time',
    rules: always({ ...blobGet, fault: { kind: 'length', add: 10 } }),
    pull: 'SIZE_MISMATCH',
  },
  {
    name: 'stall',
    silent: true,
    rules: once({ ...blobGet, fault: { kind: 'stall', afterBytes: half } }),
    pull: 'ok',
    copy: 'ok',
  },
  {
    name: 'stall before the first byte, every time',
    silent: true,
    rules: always({ ...blobGet, fault: { kind: 'stall', afterBytes: 0 } }),
    pull: 'TIMEOUT',
  },
  {
    name: 'drip',
    silent: true,
    rules: once({ ...blobGet, fault: { kind: 'drip', afterBytes: half, everyMs: 50 } }),
    pull: 'ok',
  },
  { name: '503 once', rules: once({ ...blobGet, fault: status(503) }), pull: 'ok', copy: 'ok' },
  { name: '500 once', rules: once({ ...blobGet, fault: status(500) }), pull: 'ok' },
  { name: '503 every time', rules: always({ ...blobGet, fault: status(503) }), pull: 'UNAVAILABLE' },
  {
    name: 'manifest 503 once',
    rules: once({ path: /\/manifests\//, fault: status(503) }),
    pull: 'ok',
    push: 'ok',
    copy: 'ok',
  },
  {
    name: '429 three times with Retry-After',
    rules: () => [{ ...blobGet, times: 3, fault: status(429, { 'retry-after': '0.05' }) }],
    pull: 'ok',
  },
  {
    name: '429 every time',
    rules: always({ ...blobGet, fault: status(429, { 'retry-after': '0' }) }),
    pull: 'RATE_LIMITED',
  },
  {
    name: '413 for whole blobs',
    rules: () => [{ ...uploadPut, times: 1, fault: status(413) }],
    push: 'ok',
  },
  {
    name: '413 for more than 1 MiB',
    rules: () => [
      {
        path: /\/blobs\/uploads\//,
        times: 1000,
        fault: {
          kind: 'handle',
          handle: (request, response) => {
            if (Number(request.headers['content-length'] ?? 0) <= MiB) return false
            response.writeHead(413, { connection: 'close' }).end()
            return true
          },
        },
      },
    ],
    push: 'ok',
    copy: 'ok',
  },
  {
    name: '413 for everything',
    rules: () => [
      { method: 'PUT', path: /uploads/, times: 1000, fault: status(413) },
      { method: 'PATCH', times: 1000, fault: status(413) },
    ],
    push: 'TOO_LARGE',
  },
  {
    name: 'upload RST after half',
    rules: once({ ...uploadPut, fault: { kind: 'reset-request', afterBytes: half } }),
    push: 'ok',
    copy: 'ok',
  },
  {
    name: 'upload RST after half, session lost',
    rules: () => [
      { ...uploadPut, fault: { kind: 'reset-request', afterBytes: half } },
      { method: 'GET', path: /\/uploads\//, fault: status(404) },
    ],
    push: 'ok',
  },
  { name: 'upload 503', rules: once({ ...uploadPut, fault: status(503) }), push: 'ok', copy: 'ok' },
  { name: 'upload 503 every time', rules: always({ ...uploadPut, fault: status(503) }), push: 'UNAVAILABLE' },
  {
    name: 'upload done, answer lost',
    rules: once({ ...uploadPut, fault: { kind: 'lose-answer' } }),
    push: 'ok',
    copy: 'ok',
  },
  {
    name: 'false DIGEST_INVALID once',
    rules: once({
      ...uploadPut,
      fault: { ...status(400), body: '{"errors":[{"code":"DIGEST_INVALID","message":"x"}]}' },
    }),
    push: 'ok',
  },
  {
    name: 'upload denied',
    rules: always({ ...uploadPut, fault: status(403) }),
    push: 'DENIED',
    after: (registry) => expect(registry.count('DELETE', /\/uploads\//)).toBeGreaterThan(0),
  },
  {
    name: 'start of upload 500 once',
    rules: once({ method: 'POST', path: /uploads/, fault: status(500) }),
    push: 'ok',
    copy: 'ok',
  },
  {
    name: 'manifest PUT 429',
    rules: once({ ...tagPut, fault: status(429, { 'retry-after': '0.01' }) }),
    push: 'ok',
    copy: 'ok',
  },
  {
    name: 'tokens that live 2 seconds',
    rules: () => [
      {
        ...uploadPut,
        fault: {
          kind: 'handle',
          handle: outlive,
        },
      },
    ],
    registry: { auth: { kind: 'bearer', tokenSeconds: 2, now } },
    client: { now },
    push: 'ok',
  },
  { name: 'mount 401', rules: once({ method: 'POST', path: /mount=/, fault: status(401) }), copy: 'ok' },
  { name: 'mount 403', rules: once({ method: 'POST', path: /mount=/, fault: status(403) }), copy: 'ok' },
  { name: 'mount 404', rules: once({ method: 'POST', path: /mount=/, fault: status(404) }), copy: 'ok' },
  { name: 'mount 405', rules: once({ method: 'POST', path: /mount=/, fault: status(405) }), copy: 'ok' },
  { name: 'mount 500', rules: once({ method: 'POST', path: /mount=/, fault: status(500) }), copy: 'ok' },
  {
    name: 'Range ignored',
    rules: () => [
      { ...blobGet, fault: { kind: 'reset', afterBytes: half } },
      { ...blobGet, fault: { kind: 'ignore-range' } },
    ],
    pull: 'ok',
    copy: 'ok',
  },
  {
    name: 'expired presigned URL',
    rules: (elsewhere) => [
      { ...blobGet, fault: { kind: 'redirect', to: () => `http://localhost:${new URL(elsewhere.url).port}/gone` } },
    ],
    pull: 'ok',
  },
  {
    name: 'redirect to another host and port',
    rules: (elsewhere) => [
      {
        ...blobGet,
        times: 1000,
        fault: { kind: 'redirect', to: (path) => `http://localhost:${new URL(elsewhere.url).port}${path}` },
      },
    ],
    pull: 'ok',
  },
  {
    name: 'redirect in a circle',
    rules: always({ ...blobGet, fault: { kind: 'redirect', to: (path) => path } }),
    pull: 'REDIRECT_REFUSED',
  },
  {
    name: 'redirect to a file',
    rules: always({ ...blobGet, fault: { kind: 'redirect', to: () => 'file:///etc/passwd' } }),
    pull: 'REDIRECT_REFUSED',
  },
  {
    name: '400 every time',
    rules: always({ ...blobGet, fault: status(400) }),
    pull: 'REJECTED',
    after: (registry) => expect(registry.count('GET', /blobs/)).toBeLessThanOrEqual(2),
  },
  { name: '404 for the blob', rules: always({ ...blobGet, fault: status(404) }), pull: 'NOT_FOUND' },
  {
    name: 'not HTTP',
    rules: always({
      ...blobGet,
      fault: { kind: 'handle', handle: speakSsh },
    }),
    pull: 'NETWORK',
  },
]

/** What is pushed. */
const images = new MemoryImages()
/** Silence that this machine, as busy as it is now, never takes for itself: many times what a whole copy takes. */
let patience = 0
beforeAll(async () => {
  await using registry = await TestRegistry.start()
  registry.store.addImage('source', 'v1', [layer])
  await using client = new RegistryClient(options)
  const began = performance.now()
  for (const target of [images, new MemoryImages(), new MemoryImages()])
    await copy(client.repository(`${registry.host}/source`), 'v1', target, 'v1')
  patience = Math.max(200, 3 * (performance.now() - began))
}, 600_000)

/** Nothing here rests on how fast it is: only servers that stay silent are not waited for, and requests are counted. */
const options: RegistryClientOptions = {
  credentials: false,
  env: {},
  certsDirs: [],
  registriesConf: [],
  retry: { baseMs: 2, capMs: 20, attempts: 4 },
  timeouts: { idleMs: 300_000, connectMs: 300_000, documentMs: 600_000 },
}

async function run(
  row: Row,
  operation: (registry: TestRegistry, client: RegistryClient) => Promise<unknown>,
  expected: Outcome,
): Promise<void> {
  await using registry = await TestRegistry.start(row.registry)
  await using elsewhere = await TestRegistry.start()
  registry.store.addImage('source', 'v1', [layer])
  elsewhere.store.repositories.set('source', registry.store.repository('source'))
  registry.inject(...row.rules(elsewhere))
  const timeouts = row.silent ? { ...options.timeouts, idleMs: patience } : options.timeouts
  await using client = new RegistryClient({ ...options, timeouts, ...row.client })
  try {
    await operation(registry, client)
    expect('ok').toBe(expected)
  } catch (error) {
    if (!isRegistryError(error)) throw error
    expect(error.code, error.message).toBe(expected)
  }
  expect(registry.requests.length + elsewhere.requests.length).toBeLessThan(60)
  row.after?.(registry)
}

describe('faults on pull', { timeout: 900_000 }, () => {
  it.for(rows.filter((row) => row.pull !== undefined))('$name → $pull', async (row) => {
    await run(
      row,
      async (registry, client) => {
        const pulled = new MemoryImages()
        await copy(client.repository(`${registry.host}/source`), 'v1', pulled, 'v1')
        expect((await pulled.resolve('v1')).digest).toBe(registry.store.repository('source').tags.get('v1'))
      },
      row.pull!,
    )
  })
})

describe('faults on push', { timeout: 900_000 }, () => {
  it.for(rows.filter((row) => row.push !== undefined))('$name → $push', async (row) => {
    await run(
      row,
      async (registry, client) => {
        const { digest } = await images.resolve('v1')
        await copy(images, 'v1', client.repository(`${registry.host}/target`), ['v1', 'v2'])
        const target = registry.store.repository('target')
        expect(target.tags.get('v2')).toBe(digest)
        expect(target.blobs.get(digestOf(layer))?.equals(layer)).toBe(true)
      },
      row.push!,
    )
  })
})

describe('faults on copy', { timeout: 900_000 }, () => {
  it.for(rows.filter((row) => row.copy !== undefined))('$name → $copy', async (row) => {
    const features = row.name.startsWith('mount') ? {} : { mount: false }
    await run(
      { ...row, registry: { ...row.registry, features: { ...features, ...row.registry?.features } } },
      async (registry, client) => {
        await copy(
          client.repository(`${registry.host}/source`),
          'v1',
          client.repository(`${registry.host}/target`),
          'v1',
        )
        const { tags, blobs } = registry.store.repository('target')
        expect(tags.get('v1')).toBe(registry.store.repository('source').tags.get('v1'))
        expect(blobs.size).toBe(2)
      },
      row.copy!,
    )
  })
})
