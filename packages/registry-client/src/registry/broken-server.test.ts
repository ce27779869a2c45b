import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { copy } from '../copy/copy.ts'
import { MemoryImages } from '../layout/memory.ts'
import { digestOf } from '../model/digest.ts'
import { isRegistryError } from '../model/errors.ts'
import { mediaTypes } from '../model/media-types.ts'
import { RegistryStore } from '../testing/index.ts'
import { RegistryClient } from './client.ts'

const store = new RegistryStore()
const { descriptor, manifest } = store.addImage('x', 'v1', [Buffer.alloc(3000, 'layer')])
const { bytes } = store.repository('x').manifests.get(descriptor.digest)!
const blobs = store.repository('x').blobs

/** What a good server would answer. */
function good(path: string): { body: Buffer; type: string } {
  const blob = /\/blobs\/(.+)$/.exec(path)?.[1]
  if (blob === undefined) return { body: bytes, type: mediaTypes.ociManifest }
  return { body: blobs.get(blob as typeof descriptor.digest) ?? Buffer.alloc(0), type: 'application/octet-stream' }
}

const piece = fc.constantFrom(
  ...[
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 103 Early\r\n\r\n',
    'HTTP/1.0 200\r\n',
    'HTTP/1.1 401 No\r\n',
    'HTTP/1.1 307 Go\r\n',
  ],
  ...[
    'HTTP/1.1 206 Partial\r\n',
    'HTTP/1.1 204 None\r\n',
    'HTTP/2 200\r\n',
    'Content-Length: 5\r\n',
    'Content-Length: -1\r\n',
  ],
  ...['Content-Length: 99999999999999999999\r\n', 'Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: gzip\r\n'],
  ...['Content-Range: bytes 5-9/10\r\n', 'Location: /v2/\r\n', 'Location: //[\r\n', 'Location: file:///etc/passwd\r\n'],
  ...[
    'WWW-Authenticate: Bearer realm="http://127.0.0.1:1/",scope="',
    'WWW-Authenticate: Basic\r\n',
    'Retry-After: 0\r\n',
  ],
  ...[`Docker-Content-Digest: ${digestOf('other')}\r\n`, 'Content-Type: application/json\r\n', 'Connection: close\r\n'],
  ...[
    '\r\n',
    '\r\n\r\n',
    '\n',
    '\0',
    ':',
    ' ',
    '5\r\nhello\r\n',
    '0\r\n\r\n',
    'ffffffffffff\r\n',
    '5;x=y\r\n',
    '{',
    '[]',
    'null',
  ],
  ...['{"schemaVersion":2}', '{"errors":[{"code":1}]}', '\x16\x03\x01\x02\x00', 'SSH-2.0-x\r\n'],
)

/** How one answer goes wrong. Whatever it is, it ends: with the connection, so that no test has to wait. */
const misdeed = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ kind: 'none' as const }) },
  fc.record({ kind: fc.constant('pieces' as const), pieces: fc.array(piece, { maxLength: 12 }) }),
  fc.record({ kind: fc.constant('bytes' as const), bytes: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(4000), mask: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(4000), reset: fc.boolean() }),
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(4000), pieces: fc.array(piece, { maxLength: 3 }) }),
)
type Misdeed = typeof misdeed extends fc.Arbitrary<infer T> ? T : never

function spoil(answer: Buffer, deed: Misdeed): Buffer {
  switch (deed.kind) {
    case 'none':
      return answer
    case 'pieces':
      return Buffer.from(deed.pieces.join(''), 'latin1')
    case 'bytes':
      return Buffer.from(deed.bytes)
    case 'flip': {
      const copied = Buffer.from(answer)
      copied[deed.at % copied.length]! ^= deed.mask
      return copied
    }
    case 'cut':
      return answer.subarray(0, deed.at % (answer.length + 1))
    case 'insert': {
      const at = deed.at % (answer.length + 1)
      const middle = Buffer.from(deed.pieces.join(''), 'latin1')
      return Buffer.concat([answer.subarray(0, at), middle, answer.subarray(at)])
    }
  }
}

async function serve(deeds: readonly Misdeed[]) {
  const sockets = new Set<Socket>()
  let requests = 0
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (data) => {
      const [method, path = ''] = data.toString('latin1').split(' ')
      const deed = deeds[requests++] ?? { kind: 'none' as const }
      const { body, type } = good(path)
      const head = `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`
      const answer = spoil(Buffer.concat([Buffer.from(head), method === 'HEAD' ? Buffer.alloc(0) : body]), deed)
      socket.write(answer)
      if (deed.kind === 'none') return
      if (deed.kind === 'cut' && deed.reset) socket.resetAndDestroy()
      else socket.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describe('servers that answer anything', { timeout: 900_000 }, () => {
  it('make a copy fail as such, or give exactly the image', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(misdeed, { maxLength: 8 }), async (deeds) => {
        await using server = await serve(deeds)
        await using client = new RegistryClient({
          credentials: false,
          env: {},
          certsDirs: [],
          registriesConf: [],
          retry: { attempts: 3, baseMs: 0, capMs: 0, maxRetryAfterMs: 0 },
          timeouts: { idleMs: 300_000, connectMs: 300_000, documentMs: 300_000 },
        })
        const images = new MemoryImages()
        try {
          const result = await copy(client.repository(`${server.host}/x`), descriptor.digest, images, 'v1')
          expect(result.descriptor.digest).toBe(descriptor.digest)
          for (const blob of [manifest.config, ...manifest.layers])
            expect(Buffer.concat(await Array.fromAsync(images.openBlob(blob)))).toEqual(blobs.get(blob.digest))
        } catch (error) {
          if (!isRegistryError(error)) throw error
          expect(images.tags()).toEqual([])
        }
        expect(server.requests()).toBeLessThan(200)
      }),
      { numRuns: 300 },
    )
  })
})
