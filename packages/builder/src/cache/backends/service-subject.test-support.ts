/** What the tests of caches in services have in common. */
import { RegistryClient } from '@tsbuild/registry-client'
import type { Damage, Fault } from '../backend.contract.ts'
import type { CacheServices } from '../backend.ts'
import {
  cutOff,
  type FaultHandler,
  silence,
  status,
  type TestServer,
  when,
} from '../services/test-server.test-support.ts'

/** The clients of several machines, closed together. */
export class Machines implements AsyncDisposable {
  readonly #clients: RegistryClient[] = []
  /** For how long servers may say nothing. */
  idleMs = 30_000

  next(): CacheServices {
    const retry = { attempts: 2, baseMs: 1, capMs: 2, maxRetryAfterMs: 10 }
    const client = new RegistryClient({ credentials: false, env: {}, retry, timeouts: { idleMs: this.idleMs } })
    this.#clients.push(client)
    return { client, repository: (reference) => client.repository(reference) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client[Symbol.asyncDispose]()
  }
}

export function damaged(bytes: Buffer, how: Damage): Buffer {
  if (how === 'truncated') return bytes.subarray(0, 10)
  const copy = Buffer.from(bytes)
  copy[copy.length >> 1]! ^= 0xff
  return copy
}

/** What a server can do to a cache. @param document requests that are about the document */
export function faultsOf(server: TestServer, machines: Machines, document: RegExp): Readonly<Record<string, Fault>> {
  const fault = (total: boolean, handler: FaultHandler): Fault => ({
    total,
    begin: async () => {
      server.fault = handler
      if (handler === silence) machines.idleMs = 100
    },
    heal: async () => {
      server.fault = undefined
      machines.idleMs = 30_000
    },
  })
  const writes = (path: string) => new RegExp(`^(PUT|POST) .*(${path})`)
  return {
    403: fault(true, status(403)),
    429: fault(true, status(429, { 'retry-after': '0' })),
    500: fault(true, status(500)),
    silent: fault(true, silence),
    'cut off': fault(true, when(/^(GET|POST)/, cutOff)),
    'no room for blobs': fault(false, when(writes('blob'), status(507))),
    'no documents': fault(false, when(writes(document.source), status(500))),
    'too large': fault(false, when(writes(document.source), status(413))),
  }
}

/** Content in chunks of a size. */
export async function* pieces(bytes: Buffer, size = bytes.length): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
